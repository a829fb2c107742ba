"""Output of executions for those who ask (spec engines.md 1.9, orchestration.md 6.8)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from bacalhau.errors import BacalhauError
from bacalhau.models import RunOutput
from bacalhau.ports import Stream
from bacalhau.protocol.messages import LogFrame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bacalhau.compute.records import Records
    from bacalhau.models import ExecutionID
    from bacalhau.ports import LocalExecution
    from bacalhau.ports.workspace import Workspace
    from bacalhau.protocol.messages import LogRequest

_POLL_SECONDS = 0.1
RECORD_PATIENCE_SECONDS = 5.0


class LogStreams:
    """Answers requests for output, of executions that wait, run or have ended."""

    def __init__(self, records: Records, workspace: Workspace) -> None:
        self._records = records
        self._workspace = workspace

    async def stream(self, request: LogRequest) -> AsyncIterator[LogFrame]:
        """Stream the output of an execution; a frame with an error ends the stream.

        With ``follow``, an execution that has not begun is waited for. One whose log is gone is
        answered from the summary of its output.
        """
        record = await self._known(request.execution_id)
        if record is None:
            text = f"execution {request.execution_id} is not known on this node"
            yield LogFrame(error=text)
            return
        if request.follow:
            await self._begun(request.execution_id)
        if self._workspace.has_log(request.execution_id):
            frames = self._workspace.logs(request)
            try:
                async for frame in frames:
                    yield frame
            except BacalhauError as exc:
                yield LogFrame(error=exc.message)
            finally:
                # A generator left to the garbage collector would end at an unknown time.
                if isinstance(frames, AsyncGenerator):
                    await frames.aclose()
        elif not request.tail:
            for frame in _frames_of(self._records.read(request.execution_id) or record):
                yield frame

    async def _known(self, execution_id: ExecutionID) -> LocalExecution | None:
        """The request may overtake the offer that it is about."""
        waited = 0.0
        while waited <= RECORD_PATIENCE_SECONDS:
            record = self._records.read(execution_id)
            if record is not None:
                return record
            await asyncio.sleep(_POLL_SECONDS)
            waited += _POLL_SECONDS
        return None

    async def _begun(self, execution_id: ExecutionID) -> None:
        while not self._workspace.has_log(execution_id):
            record = self._records.read(execution_id)
            if record is None or record.state.is_terminal:
                return
            await asyncio.sleep(_POLL_SECONDS)


def _frames_of(record: LocalExecution) -> list[LogFrame]:
    output = record.run_output or RunOutput()
    streams = ((Stream.STDOUT, output.stdout), (Stream.STDERR, output.stderr))
    return [LogFrame(stream=stream.value, data=text.encode()) for stream, text in streams if text]
