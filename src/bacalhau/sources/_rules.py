"""Rules that hold for all sources: where a single file appears, time and space (storage.md 3.8)."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from bacalhau.errors import Code, TransientError
from bacalhau.ports import Volume

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from bacalhau.config import Settings
    from bacalhau.models import InputSource
    from bacalhau.ports import InputPlan


def binds_file(target: str, name: str) -> bool:
    """Tell whether a single input file is meant to appear at ``target`` itself.

    It is when the target's last segment is the file's name and looks like one: ``/in/a.csv`` for
    ``a.csv``, but neither ``/in/a.csv/`` nor ``/data`` for ``data``.
    """
    last = target.rpartition("/")[2]
    return last == name and "." in last[1:]


def mounts_read_only(settings: Settings) -> bool:
    """Tell whether tasks may only read what was fetched for them."""
    return settings.flag("InputSources.MountReadOnly")


def volume(source: InputSource, plan: InputPlan, directory: Path, *, read_only: bool) -> Volume:
    """Return the fetched input as an engine binds it."""
    path = directory / plan.objects[0].path if plan.is_file else directory
    return Volume(path=path, target=source.target, read_only=read_only)


@asynccontextmanager
async def read_deadline(seconds: float, subject: str, component: str) -> AsyncIterator[None]:
    """Limit how long an input may take to list.

    Raises:
        TransientError: it took longer.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as exc:
        raise TransientError(
            f"{subject} could not be listed within {seconds:g} s",
            component=component,
            hint="try again, or raise InputSources.ReadTimeout on the node",
        ) from exc


@contextmanager
def disk(directory: Path, needed_bytes: int, component: str) -> Iterator[None]:
    """Make sure that there is room for an input, and explain what the disk refuses inside.

    Raises:
        TransientError: not enough room, or the disk refuses; another node may do better.
    """
    try:
        free_bytes = shutil.disk_usage(directory).free
        if free_bytes < needed_bytes:
            raise TransientError(
                f"the input needs {needed_bytes} bytes, but the node has {free_bytes} bytes left",
                code=Code.DISK_SPACE,
                component=component,
                hint="free disk space on the node, or move its DataDir",
            )
        yield
    except OSError as exc:
        raise TransientError(
            f"the input cannot be stored on the node: {exc.strerror or exc}",
            code=Code.DISK,
            component=component,
            hint="check the disk under the node's DataDir",
        ) from exc
