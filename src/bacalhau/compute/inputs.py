"""Listing and fetching what a task reads (spec storage.md 1.4, 1.5)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeVar

from bacalhau.compute.failures import COMPONENT
from bacalhau.errors import BacalhauError, NotSupportedError, TransientError
from bacalhau.lib.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterable, Sequence
    from pathlib import Path

    from bacalhau.compute.fetching import InputWatch
    from bacalhau.compute.plugins import Offers, Plugins
    from bacalhau.models import InputSource, Task
    from bacalhau.ports import Fetched, InputPlan, Source, Volume

T = TypeVar("T")


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


async def total_size(
    inputs: Sequence[InputSource], sources: Offers[Source], *, limit_seconds: float
) -> int:
    """Return how many bytes the inputs have together, without fetching them.

    Raises:
        BacalhauError: the first input, in the order of the job, that could not be listed.
    """
    plans = await _all_of(_plan(source, sources, limit_seconds) for source in inputs)
    return sum(plan.size_bytes for plan in plans)


async def fetch(
    inputs: Sequence[InputSource],
    directories: Sequence[Path],
    sources: Offers[Source],
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
        _fetch(source, directory, sources, limit_seconds, watch)
        for source, directory in zip(inputs, directories, strict=True)
    )


async def _fetch(
    wanted: InputSource,
    directory: Path,
    sources: Offers[Source],
    limit_seconds: float,
    watch: InputWatch,
) -> PreparedInput:
    plan = await _plan(wanted, sources, limit_seconds)
    watch.expect(plan)
    fetched = await _source(wanted, sources).fetch(wanted, plan, directory, watch.advance)
    return PreparedInput(source=wanted, plan=plan, fetched=fetched)


async def _plan(wanted: InputSource, sources: Offers[Source], limit_seconds: float) -> InputPlan:
    source = _source(wanted, sources)
    try:
        async with asyncio.timeout(limit_seconds):
            return await source.plan(wanted)
    except TimeoutError as exc:
        raise TransientError(
            f'listing the input for "{wanted.target}" took longer than '
            f"{format_duration(limit_seconds)}",
            hint="raise InputSources.ReadTimeout on the node, or narrow the input",
            component=COMPONENT,
        ) from exc


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
