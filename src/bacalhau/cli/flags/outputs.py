"""``-o/--output NAME:PATH``: a directory of the task that is published (spec cli.md 9.3)."""

from __future__ import annotations

from bacalhau.models.job import ResultPath


def read_output(text: str) -> ResultPath:
    """Read one ``--output`` value.

    Raises:
        ValueError: not exactly one colon, an empty side, or a relative path.
    """
    name, colon, path = text.partition(":")
    name, path = name.strip(), path.strip()
    if not colon or ":" in path or not name or not path:
        raise ValueError(f"invalid output volume: {text}. Write NAME:PATH")
    if not path.startswith("/"):
        raise ValueError(f"result path `{path}` must be absolute")
    return ResultPath(name=name, path=path)
