"""A source without an origin: what there is to fetch is written in its parameters.

It waits through the event loop only, so that it runs in a simulation. Parameters, all optional::

    Files            {"path": "content"}: what there is
    Bytes            a size to claim instead of that of the files
    PlanSeconds, FetchSeconds   how long listing and fetching take; a negative number: for ever
    PlanFailure, FetchFailure   fail with this message instead; FailureCode, Retryable say how
"""

from __future__ import annotations

import asyncio
import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from bacalhau.errors import ForeignCode, NotFoundError, TransientError
from bacalhau.models.decode import decode_params, ignored_params
from bacalhau.models.params import ParamsModel
from bacalhau.ports import WHOLE, Fetched, InputPlan, PlannedObject, Volume

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from bacalhau.models import InputSource, SpecConfig
    from bacalhau.ports import Partition, PluginContext
    from bacalhau.ports.plugin import Progress


class FakeSourceParams(ParamsModel, frozen=True, kw_only=True):
    """What there is to fetch; see the module."""

    files: dict[str, str] = msgspec.field(default_factory=dict)
    bytes: int = 0
    plan_seconds: float = 0
    fetch_seconds: float = 0
    plan_failure: str = ""
    fetch_failure: str = ""
    failure_code: str = ""
    retryable: bool = False


class FakeSource:
    """The source.

    Args:
        writes_files: Write what is fetched to disk; in a simulation there is none.

    Attributes:
        is_offered: What the source tells about itself.
        plans: How many times something was listed.
        fetching: The directories that are being filled now.
        fetched: The directories that were filled, in order.
    """

    def __init__(self, *, writes_files: bool = False) -> None:
        self.is_offered = True
        self.plans = 0
        self.fetching: list[Path] = []
        self.fetched: list[Path] = []
        self._writes_files = writes_files

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Judge parameters and return warnings; see ``ports.Plugin``."""
        decode_params(FakeSourceParams, spec)
        return ignored_params("source", FakeSourceParams, spec)

    @classmethod
    @asynccontextmanager
    async def open(cls, context: PluginContext) -> AsyncIterator[FakeSource]:
        """Make a source that writes files."""
        del context
        yield cls(writes_files=True)

    async def is_available(self) -> bool:
        """Tell what the source is set to."""
        return self.is_offered

    async def plan(self, source: InputSource, partition: Partition = WHOLE) -> InputPlan:
        """List the files in the parameters; every execution gets them all."""
        del partition
        params = decode_params(FakeSourceParams, source.source)
        self.plans += 1
        await _wait(params.plan_seconds)
        if params.plan_failure:
            raise _failure(params, params.plan_failure)
        sizes = {path: len(text.encode()) for path, text in params.files.items()}
        if params.bytes:
            sizes["claimed"] = params.bytes - sum(sizes.values())
        return InputPlan(
            objects=tuple(
                PlannedObject(key=path, path=path, size_bytes=size) for path, size in sizes.items()
            ),
            origin="fake",
        )

    async def fetch(
        self, source: InputSource, plan: InputPlan, directory: Path, progress: Progress
    ) -> Fetched:
        """Write the files in the parameters, where there is a disk."""
        params = decode_params(FakeSourceParams, source.source)
        self.fetching.append(directory)
        try:
            await _wait(params.fetch_seconds)
        finally:
            self.fetching.remove(directory)
        if params.fetch_failure:
            raise _failure(params, params.fetch_failure)
        for path, text in params.files.items():
            if self._writes_files:
                (directory / path).parent.mkdir(parents=True, exist_ok=True)
                (directory / path).write_text(text)
        progress(plan.size_bytes, len(plan.objects))
        self.fetched.append(directory)
        digests = {
            path: hashlib.sha256(text.encode()).digest() for path, text in params.files.items()
        }
        return Fetched(volume=Volume(path=directory, target=source.target), digests=digests)


async def _wait(seconds: float) -> None:
    if seconds < 0:
        await asyncio.Event().wait()
    await asyncio.sleep(seconds)


def _failure(params: FakeSourceParams, message: str) -> NotFoundError | TransientError:
    kind = TransientError if params.retryable else NotFoundError
    return kind(message, code=ForeignCode(params.failure_code) or None, component="FakeSource")
