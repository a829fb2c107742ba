"""Records of what an execution read and wrote (``models.provenance``).

The orchestrator gets the first files of every list. Where that is not all of them, the whole list
is written beside the log of the execution, a record on each line.
"""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import structlog

from bacalhau.errors import BacalhauError
from bacalhau.lib.readable import readable
from bacalhau.models.provenance import FileRecord, InputRecord, OutputRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from bacalhau.compute.inputs import PreparedInput
    from bacalhau.models import Execution
    from bacalhau.ports import Fetched, PlannedObject, Published, PublishedFile
    from bacalhau.ports.workspace import Workspace

MAX_FILES = 1000
"""How many files the inputs of an execution may name to the orchestrator; as many its outputs."""

MAX_BYTES = 256 * 1024
"""And how much text."""

_EMPTY = hashlib.sha256().digest()
_encode = msgspec.json.Encoder().encode

log = structlog.get_logger()


@dataclass(slots=True)
class Room:
    """How much may still be named."""

    files: int = MAX_FILES
    size_bytes: int = MAX_BYTES


class Summary:
    """Goes through a list of files once, and keeps the first of them, as many as there is room for.

    Attributes:
        objects: How many there are.
        size_bytes: The sum of their sizes.
        files: The first of them.
    """

    def __init__(self, room: Room) -> None:
        self.objects = 0
        self.size_bytes = 0
        self.files: list[FileRecord] = []
        self.left = Room(room.files, room.size_bytes)
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        """The SHA-256 over all lines so far, in hexadecimal."""
        return self._hash.hexdigest()

    @property
    def is_whole(self) -> bool:
        """True as long as all files were kept."""
        return len(self.files) == self.objects

    def lines(self, files: Iterable[FileRecord]) -> Iterator[bytes]:
        """Yield the line of each file, taken into account."""
        for file in files:
            line = _encode(file) + b"\n"
            if self.is_whole and self.left.files > 0 and self.left.size_bytes >= len(line):
                self.files.append(file)
                self.left.files -= 1
                self.left.size_bytes -= len(line)
            is_bare = not (file.etag or file.version_id)
            self._hash.update(line if is_bare else _encode(file.content) + b"\n")
            self.objects += 1
            self.size_bytes += file.size_bytes
            yield line


class Scribe:
    """Makes the records of one execution."""

    def __init__(self, execution: Execution, workspace: Workspace) -> None:
        self._execution = execution
        self._workspace = workspace

    async def inputs(self, prepared: Iterable[PreparedInput]) -> tuple[InputRecord, ...]:
        """Return the records of inputs; those that the job itself contains have none.

        Cancellation: a list in full may be missing.
        """
        room, records = Room(), []
        for number, each in enumerate(prepared):
            plan = each.plan
            if plan.is_in_job:
                continue
            files = _InputFiles(plan.objects, each.fetched)
            summary = await self._summary(files, f"input-{number}", room)
            room = summary.left
            records.append(
                InputRecord(
                    target=each.source.target,
                    type=each.source.source.type,
                    origin=plan.origin,
                    endpoint=plan.endpoint,
                    objects=summary.objects,
                    size_bytes=summary.size_bytes,
                    digest=summary.digest,
                    files=summary.files,
                )
            )
        return tuple(records)

    async def outputs(self, published: Published) -> OutputRecord:
        """Return the record of what was published.

        Cancellation: the list in full may be missing.
        """
        summary = await self._summary(_OutputFiles(published.files), "outputs", Room())
        return OutputRecord(
            type=published.spec.type,
            objects=summary.objects,
            size_bytes=summary.size_bytes,
            digest=summary.digest,
            files=summary.files,
        )

    async def _summary(self, files: _InputFiles | _OutputFiles, name: str, room: Room) -> Summary:
        if len(files) <= room.files:  # so few that no thread is worth it
            summary = Summary(room)
            deque(summary.lines(files), maxlen=0)
            if summary.is_whole:
                return summary
        summary = Summary(room)
        try:
            await self._workspace.keep_list(self._execution, name, summary.lines(files))
        except BacalhauError as exc:
            # The digest stays true; the task is worth more than the names behind it.
            log.warning("list_of_files_lost", execution_id=self._execution.id, error=exc.message)
        return summary


@dataclass(frozen=True, slots=True)
class _InputFiles:
    """The records of an input, made one at a time: there may be a million."""

    objects: Sequence[PlannedObject]
    fetched: Fetched

    def __len__(self) -> int:
        return len(self.objects)

    def __iter__(self) -> Iterator[FileRecord]:
        for item in self.objects:
            yield FileRecord(
                key=item.key,
                path=item.path,
                size_bytes=item.size_bytes or self._size(item),
                etag=item.etag,
                version_id=item.version or self.fetched.versions.get(item.path, ""),
                sha256=self.fetched.digests.get(item.path, b"").hex(),
                is_directory=item.is_directory,
            )

    def _size(self, item: PlannedObject) -> int:
        """Return how large a file is that was planned as empty: its origin may not have said."""
        if self.fetched.digests.get(item.path, _EMPTY) == _EMPTY:
            return 0
        place = self.fetched.volume.path
        return (place if place.is_file() else place / item.path).stat().st_size


@dataclass(frozen=True, slots=True)
class _OutputFiles:
    """The records of what was published."""

    files: Sequence[PublishedFile]

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[FileRecord]:
        for file in self.files:
            # Names of files are bytes; what is no UTF-8 among them has no form in JSON.
            path = readable(file.path)
            yield FileRecord(path=path, size_bytes=file.size_bytes, sha256=file.digest.hex())
