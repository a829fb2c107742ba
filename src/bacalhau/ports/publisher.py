"""Publishing results (spec storage.md 7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from bacalhau.ports.plugin import Plugin

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from bacalhau.models import Execution, Job, SpecConfig
    from bacalhau.ports.plugin import PluginContext, Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedFile:
    """One file of the results: its path in the results directory, and the SHA-256 as bytes."""

    path: str
    size_bytes: int
    digest: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """Where clients find results, and which files they are, in the order of their paths."""

    spec: SpecConfig
    files: tuple[PublishedFile, ...]


class PublishProgress(Protocol):
    """Is told how far publishing has come, for people who wait. What was begun last is shown.

    The methods, and what they return, may be called in any thread, but not in two at once.
    """

    def packing(self, size_bytes: int) -> Progress:
        """Begin to make one archive of so many bytes of results; its files are not counted."""
        ...

    def publishing(self, size_bytes: int, files: int = 0) -> Progress:
        """Begin to store so many bytes, in so many files; 0 if it is one archive of them all.

        Only what the destination has taken is done, and only once, however often it was sent.
        """
        ...


class Publisher(Plugin, Protocol):
    """A place that results go to."""

    @classmethod
    def open(cls, context: PluginContext) -> AbstractAsyncContextManager[Publisher]:
        """Make a live instance; leaving the context closes it."""
        ...

    async def publish(
        self, execution: Execution, results: Path, progress: PublishProgress
    ) -> Published:
        """Publish a results directory and return what was published, and where.

        ``execution`` carries its job. Publishing the same execution again replaces what was there.
        A publisher that does not know how far it is need not tell ``progress``.

        Cancellation: nothing that looks complete is left behind.

        Raises:
            BacalhauError: the destination refuses.
        """
        ...


@runtime_checkable
class SelectivePublisher(Protocol):
    """What a publisher offers besides, if this node does not publish to every place."""

    def admit(self, spec: SpecConfig) -> None:
        """Agree to publish there, before a task is run for it. Parameters have passed ``check``.

        Raises:
            UnsuitableNodeError: another node may do it; a bid is refused with the message.
        """
        ...


class ResultSigner(Protocol):
    """Makes published results readable for clients without credentials (spec storage.md 8.1)."""

    async def sign(self, job: Job, executions: Sequence[Execution]) -> list[SpecConfig]:
        """Return the published results of executions of a job, in their order.

        Each is one with links where that is possible, and else as it was published; the log says
        why. Takes a bounded time, whatever servers do not answer.

        Raises:
            UserError: the credentials of this node are broken.
        """
        ...
