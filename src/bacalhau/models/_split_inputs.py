"""Inputs that the documentation splits over two list items (spec storage.md 1.3)."""

from __future__ import annotations

from typing import Any

from bacalhau.models._shapes import find_key


def join_split_inputs(document: dict[str, Any]) -> list[str]:
    """Put such inputs together; return a warning for each.

    ``document`` is an untyped job. Its list of tasks is replaced, nothing below it is changed. An
    item with a source but no target takes the target of the item right behind it, if that has no
    source; nothing else is guessed.
    """
    warnings: list[str] = []
    tasks_key = find_key(document, "Tasks")
    tasks = document[tasks_key] if tasks_key else None
    if tasks_key is None or not isinstance(tasks, list):
        return warnings
    joined = []
    for index, task in enumerate(tasks):
        key = find_key(task, "InputSources") if isinstance(task, dict) else None
        if key is not None and isinstance(task[key], list):
            path = f"Tasks[{index}].InputSources"
            joined.append({**task, key: _joined(task[key], path, warnings)})
        else:
            joined.append(task)
    document[tasks_key] = joined
    return warnings


def _joined(items: list[Any], path: str, warnings: list[str]) -> list[Any]:
    result: list[Any] = []
    may_take_target = False
    for index, item in enumerate(items):
        has_source, has_target = _has(item, "Source"), _has(item, "Target")
        if may_take_target and has_target and not has_source:
            result[-1] = _merged(result[-1], item)
            warnings.append(
                f"{path}[{index}]: merged separate Target item; "
                "put Target at the same level as Source"
            )
            may_take_target = False
            continue
        result.append(item)
        may_take_target = has_source and not has_target
    return result


def _merged(source: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    merged = dict(source)
    for name in ("Target", "Alias"):
        if _has(target, name):
            old, new = find_key(merged, name), find_key(target, name)
            if old is not None:
                del merged[old]
            assert new is not None, name
            merged[name] = target[new]
    return merged


def _has(item: object, name: str) -> bool:
    """Tell whether a list item gives a value that is neither null nor blank."""
    if not isinstance(item, dict):
        return False
    key = find_key(item, name)
    if key is None or item[key] is None:
        return False
    return not (isinstance(item[key], str) and not item[key].strip())
