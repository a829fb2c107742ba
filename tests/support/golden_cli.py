"""Shapes of calls recorded from v1.5.2, as patterns for calls of ours.

``<name>`` stands for a value and ``<text: what it says>`` for words of any number of lines. Blank
lines, the width of columns and lines that only a terminal shows are not compared.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cli import Outcome

_FOLDER = Path(__file__).parent.parent / "data" / "golden-cli"
_PLACEHOLDER = re.compile(r"(<[^<>]*>)")
_ANIMATED = "<animated progress line>"
OVERRIDES: dict[str, dict[str, str]] = json.loads(
    (_FOLDER.parent / "golden-cli-overrides.json").read_text()
)
NAMES = sorted(path.stem for path in _FOLDER.glob("*.txt"))


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recorded call."""

    name: str
    code: int
    stdout: str
    stderr: str


def recorded(name: str) -> Recorded:
    """Read a recording, changed where we chose to differ."""
    text = (_FOLDER / f"{name}.txt").read_text()
    head, *sections = re.split(r"^--- (stdout|stderr)\n", text, flags=re.MULTILINE)
    streams = dict(zip(sections[::2], sections[1::2], strict=True))
    streams |= OVERRIDES.get(name, {})
    code = re.search(r"^exit: (\d)$", head, flags=re.MULTILINE)
    assert code is not None
    code_now = OVERRIDES.get(name, {}).get("exit", code[1])
    return Recorded(name, int(code_now), streams.get("stdout", ""), streams.get("stderr", ""))


def assert_shape(outcome: Outcome, name: str) -> None:
    """Compare a call of ours with a recording."""
    call = recorded(name)
    assert outcome.code == call.code, outcome
    for stream in ("stdout", "stderr"):
        shape, text = getattr(call, stream), getattr(outcome, stream)
        if shape.startswith("JSON"):
            assert list(dict.fromkeys(_paths(json.loads(text)))) == _listed_paths(shape)
        elif shape.startswith("YAML"):
            wanted = yaml.safe_load(shape.partition("\n")[2])
            assert list(_paths(yaml.safe_load(text))) == list(_paths(wanted))
        else:
            pattern = "\n".join(_pattern(line) for line in _lines(shape))
            found = "\n".join(_lines(text if "Hint:" in shape else _without_hint(text)))
            assert re.fullmatch(pattern, found, flags=re.DOTALL), f"{found}\n-- is not --\n{shape}"


def _without_hint(text: str) -> str:
    """Leave out the hint of an error, which may be there where the original had none."""
    return re.sub(r"^Hint:.*", "", text, count=1, flags=re.MULTILINE | re.DOTALL)


def _lines(text: str) -> list[str]:
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and line != _ANIMATED]


def _pattern(line: str) -> str:
    parts = []
    # Words may bring the blanks and marks around them.
    for part in _PLACEHOLDER.split(re.sub(r" ?(<text[^<>]*>) ?", r"\1", line)):
        if part.startswith("<text"):
            parts.append(".+?")
        elif part.startswith("<"):
            parts.append(r"[^\n]+?")
        else:
            parts.append(re.sub(r"(\\ )+|\\t", r"\\s+", re.escape(part)))
    return "".join(parts)


def _listed_paths(shape: str) -> list[str]:
    lines = [line for line in shape.splitlines() if line.startswith((".", "[")) and ": " in line]
    return [line.rpartition(": ")[0].removeprefix(".") for line in lines if line[:2] != ".:"]


def _paths(value: Any, path: str = "") -> Iterator[str]:
    """Yield the paths of leaves, empty objects and lists, in order, as the recordings do.

    Lists are as their first item is.
    """
    if isinstance(value, list):
        if path:
            yield path
        for item in value[:1]:
            yield from _paths(item, f"{path}[]")
    elif isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _paths(item, f"{path}.{key}".removeprefix("."))
    elif path:
        yield path
