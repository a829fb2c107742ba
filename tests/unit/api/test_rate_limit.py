"""Counting requests costs no more memory the more addresses they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse

from bacalhau.api import door
from bacalhau.api.door import RateLimit

if TYPE_CHECKING:
    import pytest
    from starlette.types import Message, Receive, Scope, Send


class StoppedClock:
    def monotonic(self) -> float:
        return 5.0

    def now_ns(self) -> int:
        return 5_000_000_000


async def _hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


async def status(limit: RateLimit, address: str) -> int:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError("nobody asks for a body")

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "client": (address, 1), "state": {"request_id": "r"}}
    await limit(scope, receive, send)
    return int(sent[0]["status"])


async def test_addresses_do_not_use_up_each_others_share() -> None:
    limit = RateLimit(_hello, per_second=1, clock=StoppedClock())
    assert [await status(limit, address) for address in "aab"] == [200, 429, 200]


async def test_only_the_latest_addresses_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "ADDRESSES_REMEMBERED", 2)
    limit = RateLimit(_hello, per_second=1, clock=StoppedClock())
    seen = [await status(limit, address) for address in "abacab"]
    # The third address makes the server forget the second, which was heard of the longest ago.
    assert seen == [200, 200, 429, 200, 429, 200]
