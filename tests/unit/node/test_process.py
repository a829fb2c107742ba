"""What a node does when it is asked to end."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import pytest

from bacalhau.node import process

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def left(monkeypatch: pytest.MonkeyPatch) -> Iterator[asyncio.Event]:
    """Return what is set in place of the end of this process; signals are as before afterwards."""
    left = asyncio.Event()
    monkeypatch.setattr(process, "_leave", left.set)
    # The process would be ended when the tests have gone on to something else.
    monkeypatch.setattr(process, "STOP_SECONDS", 24 * 3600.0)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield left
    for number, handler in before.items():
        signal.signal(number, handler)


async def _signal(number: signal.Signals) -> None:
    """Send a signal to this process, and wait until the loop has heard of it."""
    heard = asyncio.Event()
    os.kill(os.getpid(), number)
    asyncio.get_running_loop().call_later(0.01, heard.set)
    await heard.wait()


async def test_a_signal_that_comes_twice_is_one(left: asyncio.Event) -> None:
    """As from ``timeout``, which signals its child and then the process group."""
    stop = asyncio.Event()
    process.stop_on_signals(stop)
    await _signal(signal.SIGTERM)
    assert stop.is_set()
    await _signal(signal.SIGTERM)
    assert not left.is_set()


async def test_a_second_signal_after_a_moment_ends_the_process(
    left: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = asyncio.Event()
    process.stop_on_signals(stop)
    await _signal(signal.SIGTERM)
    monkeypatch.setattr(process, "ONE_SIGNAL_SECONDS", 0)
    await _signal(signal.SIGINT)
    assert left.is_set()
