"""The certificate that a node makes for itself: kept while it is good, and made anew in time."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from bacalhau.config import Settings
from bacalhau.lib.clock import SystemClock
from bacalhau.lib.ids import SeededIds
from bacalhau.models import NodeID
from bacalhau.node.certificates import api_certificate
from bacalhau.node.plugins import PluginClasses
from bacalhau.node.roles import Host
from bacalhau.transport.memory import MemoryTransport

if TYPE_CHECKING:
    from pathlib import Path


class ShiftedClock(SystemClock):
    """A clock that is ahead of the right time, or behind it when ``ahead`` is negative."""

    def __init__(self, ahead: timedelta) -> None:
        self._ahead_ns = round(ahead.total_seconds() * 1e9)

    def now_ns(self) -> int:
        return super().now_ns() + self._ahead_ns


def certificate(directory: Path, ahead: timedelta) -> bytes:
    """Return the certificate that a node shows, started when the clock shows this."""
    chance = random.Random(1)
    host = Host(
        node_id=NodeID("n-1"),
        directory=directory,
        settings=Settings({"API.TLS.SelfSigned": True}),
        classes=PluginClasses({}, {}, {}),
        transport=MemoryTransport(),
        clock=ShiftedClock(ahead),
        random=chance,
        ids=SeededIds(chance),
    )
    found = api_certificate(host)
    assert found is not None
    assert found.is_self_signed
    return found.certificate.read_bytes()


@pytest.mark.parametrize("days", [0, 1, 300])
def test_a_good_certificate_is_kept(tmp_path: Path, days: int) -> None:
    first = certificate(tmp_path, timedelta(0))
    assert certificate(tmp_path, timedelta(days=days)) == first


def test_one_that_ends_soon_is_made_anew(tmp_path: Path) -> None:
    first = certificate(tmp_path, timedelta(0))
    assert certificate(tmp_path, timedelta(days=340)) != first


def test_one_that_is_not_valid_yet_is_made_anew(tmp_path: Path) -> None:
    """It was made while the machine's clock was ahead; nobody would accept it now."""
    early = certificate(tmp_path, timedelta(days=100))
    now = certificate(tmp_path, timedelta(0))
    assert now != early
    assert certificate(tmp_path, timedelta(0)) == now
