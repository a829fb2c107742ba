"""Listing and fetching what a task reads (spec storage.md 1.4, 1.5)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeVar

import msgspec

from bacalhau.compute.failures import COMPONENT
from bacalhau.errors import BacalhauError, NotSupportedError, TransientError
from bacalhau.lib.units import format_duration
from bacalhau.lifecycle.listings import contradiction
from bacalhau.models.fingerprint import fingerprint
from bacalhau.ports import WHOLE, Partition

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Mapping, Sequence
    from pathlib import Path

    from bacalhau.compute.plugins import Offers, Plugins
    from bacalhau.compute.watches import InputWatch
    from bacalhau.models import Execution, InputSource, Job, Task
    from bacalhau.ports import Fetched, InputPlan, Source, Volume

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """What of its job's inputs an execution works on, and whether its task can write to them.

    ``listings`` has the digests of listings by target that it has to go by; see
    ``lifecycle.listings``.
    """

    partition: Partition = WHOLE
    listings: Mapping[str, str] = field(default_factory=dict)
    is_read_only: bool = False


def share_of(execution: Execution, job: Job) -> Share:
    """Return what an execution of a job works on."""
    partition = Partition(index=execution.partition_index, count=job.partition_count)
    return Share(partition=partition, listings=execution.listings)


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedInput:
    """An input of a task, what it consists of, and where the task finds it."""

    source: InputSource
    plan: InputPlan
    fetched: Fetched


def volumes_of(prepared: Iterable[PreparedInput]) -> tuple[Volume, ...]:
    """Return what an engine is to bind; parents come before what is in them."""
    volumes = (each.fetched.volume for each in prepared)
    return tuple(sorted(volumes, key=lambda volume: PurePosixPath(volume.target).parts))


def inputs_of(task: Task, plugins: Plugins) -> list[InputSource]:
    """Return the sources of a task, and those that its engine needs besides."""
    engine = plugins.engines.find(task.engine.kind)
    extra = engine.extra_inputs(task.engine) if engine is not None else ()
    return [*task.input_sources, *extra]


async def plan_all(
    inputs: Sequence[InputSource], sources: Offers[Source], share: Share, *, limit_seconds: float
) -> list[InputPlan]:
    """List what there is to fetch, in the order of the inputs, without fetching it.

    Raises:
        BacalhauError: the first input, in the order of the job, that could not be listed.
    """
    return await _all_of(_plan(source, sources, share, limit_seconds) for source in inputs)


async def fetch(
    inputs: Sequence[InputSource],
    directories: Sequence[Path],
    sources: Offers[Source],
    share: Share,
    *,
    limit_seconds: float,
    watch: InputWatch,
) -> list[PreparedInput]:
    """Fetch all inputs at once, each into its own directory.

    ``limit_seconds`` bounds the listing of each; a transfer takes as long as it makes progress,
    which ``watch`` is told of.

    Cancellation: partial files may be left in the directories.

    Raises:
        BacalhauError: the first input, in the order of the job, that could not be fetched.
    """
    return await _all_of(
        _fetch(source, directory, sources, share, limit_seconds, watch)
        for source, directory in zip(inputs, directories, strict=True)
    )


async def _fetch(
    wanted: InputSource,
    directory: Path,
    sources: Offers[Source],
    share: Share,
    limit_seconds: float,
    watch: InputWatch,
) -> PreparedInput:
    plan = await _plan(wanted, sources, share, limit_seconds)
    watch.expect(plan)
    fetched = await _source(wanted, sources).fetch(wanted, plan, directory, watch.advance)
    return PreparedInput(source=wanted, plan=plan, fetched=fetched)


async def _plan(
    wanted: InputSource, sources: Offers[Source], share: Share, limit_seconds: float
) -> InputPlan:
    source = _source(wanted, sources)
    try:
        async with asyncio.timeout(limit_seconds):
            plan = await source.plan(wanted, share.partition)
    except TimeoutError as exc:
        raise TransientError(
            f'listing the input for "{wanted.target}" took longer than '
            f"{format_duration(limit_seconds)}",
            hint="raise InputSources.ReadTimeout on the node, or narrow the input",
            component=COMPONENT,
        ) from exc
    changed = contradiction(share.listings, {wanted.target: plan.listing} if plan.listing else {})
    if changed is not None:
        raise changed
    part = share.partition
    return msgspec.structs.replace(
        plan,
        fingerprint=fingerprint(wanted.source, part.index, part.count),
        is_read_only=share.is_read_only,
    )


def _source(wanted: InputSource, sources: Offers[Source]) -> Source:
    source = sources.find(wanted.source.kind)
    if source is None:
        raise NotSupportedError(
            f'this node does not support "{wanted.source.kind}"',
            hint="another node may; see StorageSources in `bacalhau node describe`",
            component=COMPONENT,
            retryable=True,
        )
    return source


async def _all_of(waits: Iterable[Coroutine[None, None, T]]) -> list[T]:
    """Run all at once; when one fails, stop the others and raise the first error in order."""
    waits = list(waits)
    if len(waits) == 1:
        return [await waits[0]]
    tasks: list[asyncio.Task[T]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(wait) for wait in waits]
    except ExceptionGroup as several:
        raise _first_error(tasks) from several
    return [task.result() for task in tasks]


def _first_error(tasks: Iterable[asyncio.Task[T]]) -> BaseException:
    errors = [task.exception() for task in tasks if not task.cancelled()]
    raised = [error for error in errors if error is not None]
    ours = [error for error in raised if isinstance(error, BacalhauError)]
    return (ours or raised)[0]
