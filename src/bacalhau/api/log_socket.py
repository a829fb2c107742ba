"""The log stream as WebSocket messages (spec api.md 5)."""

from __future__ import annotations

import asyncio
import codecs
from typing import TYPE_CHECKING

from starlette.websockets import WebSocketDisconnect

from bacalhau.api.answers import encode
from bacalhau.errors import BacalhauError
from bacalhau.models.api import LogLine, LogMessage
from bacalhau.orchestrator.log_source import closing_stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.websockets import WebSocket

    from bacalhau.protocol.messages import LogFrame


async def relay(websocket: WebSocket, frames: AsyncIterator[LogFrame], reference: str) -> None:
    """Send frames until they or the client's interest end; then close with code 1000.

    Failures are told as an ``error`` message, as clients take any other code for a lost
    connection.

    Cancellation: the stream of frames is closed.
    """
    await websocket.accept()
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(_send(websocket, frames, reference))
        leaving = group.create_task(_wait_for_disconnect(websocket))
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        sending.cancel()
        leaving.cancel()


async def _wait_for_disconnect(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass  # the protocol knows no messages from clients


async def _send(websocket: WebSocket, frames: AsyncIterator[LogFrame], reference: str) -> None:
    try:
        async with closing_stream(_messages(frames, reference)) as messages:
            async for message in messages:
                await websocket.send_text(encode(message).decode())
                # Sending does not wait while the client keeps up, nor once it is gone: without a
                # turn for the loop, that it is gone would never be noticed.
                await asyncio.sleep(0)
        await websocket.close(1000)
    except WebSocketDisconnect:
        return


async def _messages(frames: AsyncIterator[LogFrame], reference: str) -> AsyncIterator[LogMessage]:
    texts = _Texts()
    prefix = f"failed to open log stream for job {reference}: "
    try:
        async with closing_stream(frames) as stream:
            async for frame in stream:
                if frame.error:
                    yield _failure(prefix + frame.error)
                    return
                text = texts.add(frame.stream, frame.data)
                if text:
                    yield LogMessage(value=LogLine(type=frame.stream, line=text))
                    prefix = f"log stream of job {reference} broke off: "
    except BacalhauError as error:
        yield _failure(prefix + error.message)
        return
    for number, text in texts.rest():
        yield LogMessage(value=LogLine(type=number, line=text))


def _failure(text: str) -> LogMessage:
    return LogMessage(error=text, value=LogLine())


class _Texts:
    """Turns the bytes of each stream into text, whatever characters its frames cut apart."""

    def __init__(self) -> None:
        self._decoders: dict[int, codecs.IncrementalDecoder] = {}

    def add(self, stream: int, data: bytes) -> str:
        decoder = self._decoders.get(stream)
        if decoder is None:
            decoder = codecs.getincrementaldecoder("utf-8")("replace")
            self._decoders[stream] = decoder
        return decoder.decode(data)

    def rest(self) -> Iterator[tuple[int, str]]:
        for stream, decoder in self._decoders.items():
            text = decoder.decode(b"", final=True)
            if text:
                yield stream, text
