"""Relaying a log stream, whatever the client does."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocket

from bacalhau.api.log_socket import relay
from bacalhau.protocol.messages import LogFrame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_MANY = 1000


class Client:
    """The other side of a socket that takes whatever it is sent, at once."""

    def __init__(self, *, leaves_after: int | None = None) -> None:
        self.sent: list[Any] = []
        self.is_left = asyncio.Event()
        self._leaves_after = leaves_after
        self._is_connected = False

    @property
    def socket(self) -> WebSocket:
        scope = {"type": "websocket", "headers": [], "path": "/", "query_string": b""}
        return WebSocket(scope, self.receive, self.send)

    async def receive(self) -> dict[str, Any]:
        if not self._is_connected:
            self._is_connected = True
            return {"type": "websocket.connect"}
        await self.is_left.wait()
        return {"type": "websocket.disconnect", "code": 1001}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        assert len(self.sent) < _MANY, "that the client is gone was not noticed"
        if len(self.sent) == self._leaves_after:
            asyncio.get_running_loop().call_soon(self.is_left.set)


async def test_a_node_that_never_pauses_does_not_hide_that_the_client_is_gone() -> None:
    is_closed = False

    async def endless() -> AsyncIterator[LogFrame]:
        nonlocal is_closed
        try:
            while True:
                yield LogFrame(stream=1, data=b"x")
        finally:
            is_closed = True

    client = Client(leaves_after=3)
    await relay(client.socket, endless(), "j-1")
    assert is_closed
    assert client.sent[-1]["type"] == "websocket.send", "nothing is said to who is gone"


async def test_a_stream_ends_with_a_close() -> None:
    async def short() -> AsyncIterator[LogFrame]:
        yield LogFrame(stream=2, data=b"x")

    client = Client()
    await relay(client.socket, short(), "j-1")
    accept, frame, close = client.sent
    assert accept["type"] == "websocket.accept"
    assert json.loads(frame["text"]) == {"value": {"Type": 2, "Line": "x"}}
    assert (close["type"], close["code"]) == ("websocket.close", 1000)
