"""Paths that come from outside and must stay inside a directory."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MAX_NAME_BYTES = 255


def clean_relative(relative: str) -> str:
    """Return a relative path without empty, ``.`` and ``..`` segments; ``""`` is the root itself.

    The rule works on the text alone: links on disk are not looked at.

    Raises:
        ValueError: the path is absolute, leaves its root, or cannot be a name on disk.
    """
    if relative.startswith("/"):
        raise ValueError(f'"{relative}" is an absolute path')
    if "\0" in relative:
        raise ValueError(f"{relative!r} contains a null byte")
    kept: list[str] = []
    for segment in relative.split("/"):
        if segment == "..":
            if not kept:
                raise ValueError(f'"{relative}" leaves its directory')
            kept.pop()
        elif segment not in ("", "."):
            if len(segment.encode("utf-8", "surrogateescape")) > _MAX_NAME_BYTES:
                raise ValueError(f'"{relative}" has a name longer than {_MAX_NAME_BYTES} bytes')
            kept.append(segment)
    return "/".join(kept)


def safe_join(root: Path, relative: str) -> Path:
    """Return the path below ``root`` that ``relative`` names.

    Raises:
        ValueError: as ``clean_relative``.
    """
    return root / clean_relative(relative)
