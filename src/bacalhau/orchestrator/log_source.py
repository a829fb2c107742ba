"""Where the output of a job comes from (spec api.md 5).

The node that ran an execution has all of its output; the orchestrator has the first 2,048 bytes a
stream of what has ended. The node is asked first, always.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, TypeVar

from bacalhau.errors import BacalhauError, NotFoundError
from bacalhau.orchestrator.references import find_execution
from bacalhau.protocol.messages import LogFrame, LogRequest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from bacalhau.models import Execution, JobID, RunOutput
    from bacalhau.ports import JobStore, Transport

T = TypeVar("T")

POLL_SECONDS = 0.2
STORED_LOG_SECONDS = 5.0


async def await_execution(
    store: JobStore, job_id: JobID, wanted: str, *, follow: bool
) -> Execution:
    """Return the execution whose output is meant: ``wanted``, else the newest with a result.

    With ``follow``, wait until it runs or has ended; the end of the job ends the wait. Without,
    take what there is.

    Raises:
        NotFoundError: there is no such execution, or none at all.
        AmbiguousError: several executions of the job share the shortened id.
    """
    while True:
        whole = await store.whole(job_id)
        assert whole is not None, "jobs are never deleted"
        executions = whole.executions
        chosen = find_execution(executions, wanted) if wanted else _newest(executions)
        if whole.job.is_terminal or not follow or _has_output(chosen, named=bool(wanted)):
            break
        await asyncio.sleep(POLL_SECONDS)
    if chosen is None:
        raise NotFoundError(
            f"no executions found for job {job_id}",
            hint="run `bacalhau job describe` to see where the job stands",
            component="JobStore",
        )
    return chosen


def _newest(executions: Sequence[Execution]) -> Execution | None:
    kept = [item for item in executions if not item.is_discarded] or executions
    return max(kept, key=lambda item: (item.modify_time, item.create_time), default=None)


def _has_output(execution: Execution | None, *, named: bool) -> bool:
    if execution is None:
        return False
    if execution.is_discarded and not named:
        return False  # the job goes on: it will be tried again
    return execution.is_terminal or execution.compute_state.state_type.is_executing


async def live_output(
    transport: Transport, execution: Execution, *, follow: bool, tail: bool
) -> AsyncIterator[LogFrame]:
    """Stream the output of an execution that has not ended.

    Raises:
        TransientError: its node does not answer.
    """
    request = LogRequest(execution_id=execution.id, follow=follow, tail=tail)
    async with closing_stream(transport.stream_logs(execution.node_id, request)) as frames:
        async for frame in frames:
            yield frame


async def stored_output(
    transport: Transport, execution: Execution, *, is_connected: bool
) -> AsyncIterator[LogFrame]:
    """Stream the output of an execution that has ended: all that its node kept, else the start.

    Raises:
        TransientError: the node stopped answering in the middle.
    """
    has_begun = False
    if is_connected:
        request = LogRequest(execution_id=execution.id)
        async with closing_stream(transport.stream_logs(execution.node_id, request)) as frames:
            frame = await _first(frames)
            while frame is not None:
                has_begun = True
                yield frame
                frame = await anext(frames, None)
    if not has_begun:
        for line in recorded_output(execution.run_output):
            yield line


async def _first(frames: AsyncIterator[LogFrame]) -> LogFrame | None:
    """Return the first frame, or None when the node has nothing, or says nothing."""
    try:
        async with asyncio.timeout(STORED_LOG_SECONDS):
            frame = await anext(frames, None)
    except (BacalhauError, TimeoutError):
        return None
    return None if frame is not None and frame.error else frame


def recorded_output(output: RunOutput) -> Iterator[LogFrame]:
    """Yield what the orchestrator kept, one frame a line, stdout before stderr.

    The last line gets the newline that it may lack, as in the original server.
    """
    for stream, text in ((1, output.stdout), (2, output.stderr)):
        for line in text.removesuffix("\n").split("\n") if text else ():
            yield LogFrame(stream=stream, data=f"{line}\n".encode())


@contextlib.asynccontextmanager
async def closing_stream(items: AsyncIterator[T]) -> AsyncIterator[AsyncIterator[T]]:
    """Close a stream at the end of the block rather than when it is collected."""
    try:
        yield items
    finally:
        if isinstance(items, AsyncGenerator):
            await items.aclose()
