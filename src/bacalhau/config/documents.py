"""The configuration as one nested document: shown whole, or changed in one key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bacalhau.config._files import read_document
from bacalhau.config._names import find_key
from bacalhau.config._redaction import redacted
from bacalhau.config.keys import BY_NAME, KEYLESS_SECTIONS, KEYS, SECTIONS, Key, Value
from bacalhau.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["nested", "plain", "read_assignment", "read_document", "shown_value", "with_key"]

_ALWAYS_SHOWN = "API.TLS.Insecure"


def nested(settings: Settings, *, with_secrets: bool = False) -> dict[str, Any]:
    """Return the effective configuration, usable as a configuration file.

    Durations are text. Keys are left out where both value and default are nothing; sections are
    there even when they are empty. Secrets are masked unless asked for.
    """
    tree: dict[str, Any] = {}
    for key in KEYS:
        *path, last = key.name.split(".")
        section = _section(tree, path)
        value = shown_value(settings, key, with_secrets=with_secrets)
        if not (_is_nothing(value) and _is_nothing(key.default)) or key.name == _ALWAYS_SHOWN:
            section[last] = plain(key, value)
        if key.name in KEYLESS_SECTIONS:
            _section(tree, KEYLESS_SECTIONS[key.name].split("."))
    return tree


def shown_value(settings: Settings, key: Key, *, with_secrets: bool = False) -> Value:
    """Return the effective value of a key as people may see it."""
    value = settings.effective(key.name)
    return value if with_secrets else redacted(key, value)


def plain(key: Key, value: Value) -> Any:
    """Return a value as JSON and YAML have it: lists, maps, texts, numbers, booleans."""
    if isinstance(value, tuple):
        return dict(word.split("=", 1) for word in value) if key.is_map else list(value)
    if key.is_document:
        import json

        return json.loads(str(value)) if value else None
    return value


def read_assignment(name: str, text: str) -> tuple[Key, Value]:
    """Return a key and its value from what somebody wrote; data directories are made absolute.

    Raises:
        UserError: code ``ConfigurationError``; there is no such key, or the value is not for it.
    """
    settings = Settings.load({}, [f"{name}={text}"])
    key = find_key(name)
    return key, settings.effective(key.name)


def with_key(document: Mapping[str, Any], key: Key, value: Value) -> dict[str, Any]:
    """Return the document of a file with one key set, and the names of known keys in lower case.

    What is below a key, such as the names of labels, stays as it is written.
    """
    changed = _lowered(document, "")
    *path, last = key.name.lower().split(".")
    _section(changed, path)[last] = plain(key, value)
    return changed


def _section(tree: dict[str, Any], path: list[str]) -> dict[str, Any]:
    for word in path:
        inner = tree.get(word)
        if not isinstance(inner, dict):
            inner = tree[word] = {}
        tree = inner
    return tree


def _lowered(content: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    lowered: dict[str, Any] = {}
    for word, data in content.items():
        name = f"{prefix}{word}".lower()
        if name in BY_NAME:
            *path, last = name.removeprefix(prefix).split(".")
            _section(lowered, path)[last] = data
        elif name in SECTIONS and isinstance(data, dict):
            path = name.removeprefix(prefix).split(".")
            _section(lowered, path).update(_lowered(data, f"{name}."))
        elif name in SECTIONS:
            _section(lowered, name.removeprefix(prefix).split("."))
        else:
            lowered[word] = data
    return lowered


def _is_nothing(value: Value) -> bool:
    return not value or value == "0s"
