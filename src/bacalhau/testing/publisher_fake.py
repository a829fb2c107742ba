"""A publisher that publishes nowhere; what it does is written in its parameters.

It waits through the event loop only, so that it runs in a simulation. Parameters, all optional::

    Seconds    how long publishing takes; a negative number means for ever
    Failure    fail with this message instead; FailureCode, Retryable say how
    Refusal    refuse bids with this message
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bacalhau.errors import ForbiddenError, ForeignCode, TransientError, UnsuitableNodeError
from bacalhau.models import SpecConfig
from bacalhau.models.decode import decode_params, ignored_params
from bacalhau.models.params import ParamsModel
from bacalhau.ports import Published, PublishedFile

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from bacalhau.models import Execution, ExecutionID
    from bacalhau.ports import PluginContext, PublishProgress


class FakePublisherParams(ParamsModel, frozen=True, kw_only=True):
    """What publishing does; see the module."""

    seconds: float = 0
    failure: str = ""
    failure_code: str = ""
    retryable: bool = False
    refusal: str = ""


@dataclass(slots=True)
class FakeShelf:
    """What was published; it outlives the process of a node.

    Attributes:
        published: The results directory of each execution.
        attempts: Every attempt, in order.
        is_available: What the publisher tells about itself.
    """

    published: dict[ExecutionID, Path] = field(default_factory=dict)
    attempts: list[ExecutionID] = field(default_factory=list)
    is_available: bool = True


class FakePublisher:
    """The publisher; give two of them one shelf to let both publish to the same place."""

    def __init__(self, shelf: FakeShelf | None = None) -> None:
        self.shelf = FakeShelf() if shelf is None else shelf

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Judge parameters and return warnings; see ``ports.Plugin``."""
        decode_params(FakePublisherParams, spec)
        return ignored_params("publisher", FakePublisherParams, spec)

    @classmethod
    @asynccontextmanager
    async def open(cls, context: PluginContext) -> AsyncIterator[FakePublisher]:
        """Make a publisher with a shelf of its own."""
        del context
        yield cls()

    async def is_available(self) -> bool:
        """Tell what the shelf is set to."""
        return self.shelf.is_available

    def admit(self, spec: SpecConfig) -> None:
        """Refuse with the text of ``refusal``, if there is one."""
        params = decode_params(FakePublisherParams, spec)
        if params.refusal:
            raise UnsuitableNodeError(params.refusal, hint="publish elsewhere")

    async def publish(
        self, execution: Execution, results: Path, progress: PublishProgress
    ) -> Published:
        """Note the results as published."""
        assert execution.job is not None, "an execution is published with its job"
        params = decode_params(FakePublisherParams, execution.job.task.publisher)
        self.shelf.attempts.append(execution.id)
        files = tuple(_files(results))
        size_bytes = sum(each.size_bytes for each in files)
        advance = progress.publishing(size_bytes, len(files))
        if params.seconds < 0:
            await asyncio.Event().wait()
        await asyncio.sleep(params.seconds)
        if params.failure:
            kind = TransientError if params.retryable else ForbiddenError
            raise kind(
                params.failure,
                code=ForeignCode(params.failure_code) or None,
                component="FakePublisher",
            )
        advance(size_bytes, len(files))
        self.shelf.published[execution.id] = results
        spec = SpecConfig(type="fake", params={"Shelf": execution.id})
        return Published(spec=spec, files=files)


def _files(results: Path) -> Iterator[PublishedFile]:
    """Yield the files of a results directory; in a simulation there is none."""
    for path in sorted(results.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            yield PublishedFile(
                path=path.relative_to(results).as_posix(),
                size_bytes=len(data),
                digest=hashlib.sha256(data).digest(),
            )
