"""Fetching inputs (spec storage.md 1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import msgspec

from bacalhau.ports.plugin import Plugin, Volume

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from bacalhau.models import InputSource
    from bacalhau.ports.plugin import PluginContext, Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Partition:
    """Which part of its inputs an execution works on: 0 <= ``index`` < ``count``."""

    index: int = 0
    count: int = 1


WHOLE = Partition()


class PlannedObject(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to fetch, pinned: ``path`` is relative to the input's directory.

    ``key`` names it at its origin, and is recorded, so it has no credentials in it. A path with
    ``is_directory`` is created empty.
    """

    key: str
    path: str
    size_bytes: int
    etag: str = ""
    version: str = ""
    is_directory: bool = False


class InputPlan(msgspec.Struct, frozen=True, kw_only=True):
    """What a source will fetch, listed once and then held to.

    ``is_file``: the input is a single file bound at the target itself, not a directory. ``origin``
    says to people where all of it is from, and ``endpoint`` which server where the origin does not;
    neither holds credentials. ``is_in_job``: the job itself contains it, so nothing is recorded.
    ``listing`` is a digest of all that was there where this part of it depends on the whole: the
    executions of a job may only go by the same one.
    ``fingerprint`` (``models.fingerprint``) and ``is_read_only`` are filled in by who asks for the
    plan; a source hands them on to the cache. Files that a task can only read may share their bytes
    with it.
    """

    objects: tuple[PlannedObject, ...]
    warnings: tuple[str, ...] = ()
    is_file: bool = False
    origin: str = ""
    endpoint: str = ""
    is_in_job: bool = False
    listing: str = ""
    fingerprint: str = ""
    is_read_only: bool = False

    @property
    def size_bytes(self) -> int:
        """The sum of all objects."""
        return sum(item.size_bytes for item in self.objects)


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetched:
    """An input that is ready, and the SHA-256, as bytes, of its files by their planned path.

    A source that does not read the bytes itself leaves the hashes out. ``versions``, by path as
    well, are those that the origin told with the bytes and the plan did not know.
    """

    volume: Volume
    digests: Mapping[str, bytes] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


class Source(Plugin, Protocol):
    """A place that inputs come from."""

    @classmethod
    def open(cls, context: PluginContext) -> AbstractAsyncContextManager[Source]:
        """Make a live instance; leaving the context closes it."""
        ...

    async def plan(self, source: InputSource, partition: Partition = WHOLE) -> InputPlan:
        """List and pin what will be fetched, without fetching it.

        A source whose parameters ask for no partitioning gives every execution all there is.

        Raises:
            UnsuitableNodeError: another node may have it; a bid is refused with the message.
            BacalhauError: the origin refuses, or has no such data.
        """
        ...

    async def fetch(
        self, source: InputSource, plan: InputPlan, directory: Path, progress: Progress
    ) -> Fetched:
        """Fetch the planned objects below ``directory``, which exists and is empty.

        Files are 0644 and directories 0755. The caller removes the directory, also after an error.
        ``progress`` is told what has arrived, for people who wait.

        Cancellation: transfers stop within a second; partial files may be left in the directory.

        Raises:
            BacalhauError: as ``plan``; also when an object has changed since.
        """
        ...


@runtime_checkable
class LocalPresence(Protocol):
    """What a source offers besides, if some of its data need no download.

    A source without it never has anything locally (spec orchestration.md 6.2, S5).
    """

    async def has_locally(self, source: InputSource) -> bool:
        """Tell whether the data are on this node already. Parameters have passed ``check``."""
        ...
