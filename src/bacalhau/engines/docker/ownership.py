"""Making what other users wrote into result paths the node's own (spec engines.md 1.3).

A node that is not root can neither read nor remove everything that the user of a container leaves.
The daemon can change that, whatever is in the image: when it unpacks an archive, a directory that
is there already gets the owner that the archive says, and so does a file to which the archive has
a link. Nothing is copied.
"""

from __future__ import annotations

import asyncio
import io
import os
import stat
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog

from bacalhau.engines.docker.errors import translated
from bacalhau.errors import BacalhauError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import aiodocker

    from bacalhau.ports import TaskRun

_log = structlog.get_logger(__name__)

_ROOT = 0
_AT_ONCE = 5000
_OWNER_ALL = 0o700
_OWNER_READS = 0o400
_OTHERS_READ = 0o004
_LINK_PREFIX = ".bacalhau-own-"


@dataclass(frozen=True, slots=True)
class Entry:
    """A directory or file below a result path that is to change hands."""

    name: str
    mode: int
    is_directory: bool


class Ownership:
    """Takes over result paths for the user ``uid``, which is the node's."""

    def __init__(self, docker: aiodocker.Docker, uid: int, gid: int) -> None:
        self._docker = docker
        self._uid = uid
        self._gid = gid

    async def take(self, container: str, run: TaskRun) -> None:
        """Take over what a container that has ended wrote; what cannot be is noted in the log."""
        if self._uid == _ROOT:
            return
        try:
            for volume in run.outputs:
                await self._take_all(container, volume.path, volume.target)
        except (BacalhauError, OSError) as exc:
            _log.warning("results_not_taken_over", execution_id=run.execution_id, error=str(exc))

    async def _take_all(self, container: str, directory: Path, target: str) -> None:
        """Go on until nothing new turns up: what is in a directory shows once it is ours."""
        taken: set[str] = set()
        while entries := await asyncio.to_thread(foreign_entries, directory, self._uid, taken):
            for start in range(0, len(entries), _AT_ONCE):
                some = entries[start : start + _AT_ONCE]
                await self._unpack(container, target, archive(some, self._uid, self._gid))
                await asyncio.to_thread(_remove_links, directory, some)
            taken.update(entry.name for entry in entries)

    async def _unpack(self, container: str, target: str, data: bytes) -> None:
        with translated("take over the results"):
            async with self._docker._query(
                f"containers/{container}/archive?path={quote(target)}",
                method="PUT",
                data=data,
                headers={"Content-Type": "application/x-tar"},
            ):
                pass


def foreign_entries(directory: Path, uid: int, taken: set[str]) -> list[Entry]:
    """Return what below a directory has another owner and cannot be used as it is.

    That are all directories, because only their owner can remove what is in them, and files that
    not everybody may read. ``taken`` are left out.
    """
    return [entry for entry in _walk(directory, uid) if entry.name not in taken]


def _walk(directory: Path, uid: int) -> Iterator[Entry]:
    waiting = [""]
    while waiting:
        inside = waiting.pop()
        try:
            with os.scandir(directory / inside) as found:
                for each in found:
                    name = os.path.join(inside, each.name)  # noqa: PTH118 - relative
                    state = each.stat(follow_symlinks=False)
                    is_directory = stat.S_ISDIR(state.st_mode)
                    if is_directory:
                        waiting.append(name)
                    if state.st_uid != uid and _is_in_the_way(state):
                        mode = stat.S_IMODE(state.st_mode)
                        yield Entry(name, mode, is_directory)
        except PermissionError:
            continue  # It is looked into once it is taken over.


def _is_in_the_way(state: os.stat_result) -> bool:
    if stat.S_ISDIR(state.st_mode):
        return True
    return stat.S_ISREG(state.st_mode) and not state.st_mode & _OTHERS_READ


def archive(entries: Sequence[Entry], uid: int, gid: int) -> bytes:
    """Return an archive that gives entries to a user when it is unpacked over them."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for number, entry in enumerate(entries):
            header = tarfile.TarInfo(entry.name)
            header.uid, header.gid = uid, gid
            if entry.is_directory:
                header.type, header.mode = tarfile.DIRTYPE, entry.mode | _OWNER_ALL
            else:
                header.name = f"{_LINK_PREFIX}{number}"
                header.type, header.linkname = tarfile.LNKTYPE, entry.name
                header.mode = entry.mode | _OWNER_READS
            tar.addfile(header)
    return data.getvalue()


def _remove_links(directory: Path, entries: Sequence[Entry]) -> None:
    for number, entry in enumerate(entries):
        if not entry.is_directory:
            (directory / f"{_LINK_PREFIX}{number}").unlink(missing_ok=True)
            (directory / entry.name).chmod(entry.mode | _OWNER_READS)
