"""How Python names become the names of the API, and which fields are always present."""

from __future__ import annotations

from typing import Any

import msgspec

_ACRONYMS = {
    "id": "ID",
    "cpu": "CPU",
    "gpu": "GPU",
    "gpus": "GPUs",
    "url": "URL",
    "pci": "PCI",
    "cid": "CID",
    "sha256": "SHA256",
    "goos": "GOOS",
    "goarch": "GOARCH",
}


def api_name(name: str) -> str:
    """Return the JSON name of a field: ``execution_id`` gives ``ExecutionID``."""
    return "".join(_ACRONYMS.get(word, word.capitalize()) for word in name.split("_"))


def always(value: Any, *, name: str | None = None) -> Any:
    """A default for a field that is written even when it is empty (spec api.md W8).

    msgspec leaves out a field that holds its default; it does not do so for fields with a
    default factory other than ``list``, ``dict`` and ``set``.
    """
    return msgspec.field(default_factory=lambda: value, name=name)


def always_list() -> Any:
    """An empty list as default, written as ``[]``."""
    return msgspec.field(default_factory=lambda: [])  # noqa: PIE807 - `list` would be left out


def always_dict() -> Any:
    """An empty map as default, written as ``{}``."""
    return msgspec.field(default_factory=lambda: {})  # noqa: PIE807 - `dict` would be left out


class Model(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename=api_name, gc=False
):
    """Base of all records: immutable, compared by value, named on the wire as in the API."""
