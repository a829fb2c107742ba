"""What is shown of a download, and when it is given up."""

from __future__ import annotations

import io

import pytest

from bacalhau.cli.session import Session
from bacalhau.cli.transfer import TransferView
from bacalhau.client.meter import Meter
from bacalhau.errors import Code, TransientError
from bacalhau.lib.clock import SystemClock
from tests.support.cli import Terminal


class Clock(SystemClock):
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def now_ns(self) -> int:
        return int(self.now * 1e9)


class Shown:
    """A view with its clock and stream."""

    def __init__(self, stderr: io.StringIO, *, limit: float = 0, stall: float = 300) -> None:
        self.clock = Clock()
        self.stderr = stderr
        session = Session("bacalhau", environment={}, stdout=io.StringIO(), stderr=stderr)
        self.view = TransferView(session, self.clock, limit_seconds=limit, stall_seconds=stall)

    def after(self, seconds: float, meter: Meter) -> str:
        """Return what is written so much later."""
        self.clock.now += seconds
        before = len(self.stderr.getvalue())
        self.view.tick(meter)
        return self.stderr.getvalue()[before:]


def meter_of(*sizes: int | None) -> Meter:
    meter = Meter()
    for size in sizes:
        meter.add_file(size)
    return meter


def test_a_bar_on_a_terminal() -> None:
    shown, meter = Shown(Terminal()), meter_of(200_000_000)
    assert shown.after(0.1, meter) == ""
    meter.moved(50_000_000)
    assert shown.after(0.9, meter) == (
        "\r[#####...............]  25%  50 MB of 200 MB, 50 MB/s, 3s left\x1b[K"
    )
    meter.moved(150_000_000)
    shown.after(1, meter)
    shown.view.close()
    assert shown.stderr.getvalue().endswith("\r\x1b[K")


def test_files_are_counted_where_there_are_several() -> None:
    shown, meter = Shown(Terminal()), meter_of(1000, None)
    meter.moved(1000)
    meter.file_done()
    assert "1.0 kB, 1 of 2 files" in shown.after(1, meter)


def test_what_was_there_before_is_no_rate() -> None:
    shown, meter = Shown(Terminal()), meter_of(2000)
    meter.found(1000)
    assert "50%  1.0 kB of 2.0 kB\x1b" in shown.after(1, meter)


def test_lines_now_and_then_elsewhere() -> None:
    shown, meter = Shown(io.StringIO()), meter_of(200_000_000)
    meter.moved(50_000_000)
    assert shown.after(5, meter) == ""
    assert shown.after(5, meter) == "Fetched 50 MB of 200 MB, 5.0 MB/s, 30s left\n"
    shown.view.close()
    assert shown.stderr.getvalue().count("\n") == 1


def test_a_standstill_ends_it_and_slowness_does_not() -> None:
    shown, meter = Shown(io.StringIO(), stall=60), meter_of(None)
    for _ in range(100):
        meter.moved(1)
        shown.after(59, meter)
    meter.alive()
    shown.after(59, meter)
    with pytest.raises(TransientError, match="the download has stood still for 1m0s") as caught:
        shown.after(61, meter)
    assert caught.value.code == Code.TIMED_OUT
    assert "it goes on from here" in caught.value.hint


def test_a_limit_ends_it() -> None:
    shown, meter = Shown(io.StringIO(), limit=60), meter_of(None)
    meter.moved(1)
    shown.after(59, meter)
    meter.moved(1)
    with pytest.raises(TransientError, match="did not finish within 1m0s"):
        shown.after(2, meter)
