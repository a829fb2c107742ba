"""When a node counts as lost."""

from __future__ import annotations

from bacalhau.lifecycle import connection
from bacalhau.lifecycle.connection import Presence


def test_a_node_is_lost_when_it_was_silent_for_too_long() -> None:
    contact = connection.heard(100.0)
    assert connection.silent_until(contact, 109.0, 10.0) is contact
    lost = connection.silent_until(contact, 110.0, 10.0)
    assert lost.presence is Presence.LOST
    assert connection.silent_until(lost, 200.0, 10.0) is lost


def test_time_in_which_nobody_listened_is_no_silence() -> None:
    contact = connection.unheard(connection.heard(100.0), 165.0, 60.0)
    assert contact.presence is Presence.CONNECTED
    assert connection.silent_until(contact, 169.0, 10.0) is contact
    assert connection.silent_until(contact, 170.0, 10.0).presence is Presence.LOST


def test_nobody_is_heard_in_the_future() -> None:
    assert connection.unheard(connection.heard(165.0), 166.0, 60.0).since == 166.0
