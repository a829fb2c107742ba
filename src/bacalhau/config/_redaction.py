"""Hiding secrets in values that are shown (spec api.md 3.5, security.md 11.7)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bacalhau.config.key import Key, Value

MASK = "<redacted>"
_SECRET_NAME = re.compile("password|apikey|secret|token", re.IGNORECASE)
_USER = re.compile(r"(?<=://)[^/@\s]+(?=@)")
_BARE_USER = re.compile(r"^[^/@\s]+(?=@)")
_QUERY = re.compile(r"(?<=\?)[^\s#]+")


def redacted(key: Key, value: Value) -> Value:
    """Return a value without its secrets: tokens, passwords, users and queries of addresses."""
    if not value or isinstance(value, bool | int):
        return value
    if key.is_secret:
        return MASK
    if isinstance(value, tuple):
        return tuple(_entry(word) if key.is_map else _word(word) for word in value)
    return _document(value) if key.is_document else _address(value)


def _address(text: str) -> str:
    if "://" not in text:
        return text
    return _QUERY.sub(MASK, _USER.sub(MASK, text))


def _word(word: str) -> str:
    return _BARE_USER.sub(MASK, _address(word))


def _entry(word: str) -> str:
    name, _, text = word.partition("=")
    return f"{name}={MASK if text and _SECRET_NAME.search(name) else _address(text)}"


def _document(text: str) -> str:
    import json

    return json.dumps(_masked(json.loads(text)), ensure_ascii=False, separators=(",", ":"))


def _masked(data: Any) -> Any:
    if isinstance(data, list):
        return [_masked(item) for item in data]
    if not isinstance(data, dict):
        return _address(data) if isinstance(data, str) else data
    return {
        name: MASK if item and _SECRET_NAME.search(name) else _masked(item)
        for name, item in data.items()
    }
