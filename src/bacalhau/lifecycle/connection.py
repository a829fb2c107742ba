"""Whether a node can be counted on (spec orchestration.md 5.2)."""

from __future__ import annotations

import enum

import msgspec


class Presence(enum.Enum):
    """How a node stands.

    ``AWAITED``: known from earlier, not heard of since the orchestrator started. ``LOST``: silent
    for longer than the disconnect time-out, or never heard of.
    """

    CONNECTED = "connected"
    AWAITED = "awaited"
    LOST = "lost"


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """When a node was last heard. Times are seconds on the monotonic clock."""

    presence: Presence
    since: float


def awaited(now: float) -> Contact:
    """A node known from the store, at the start of the orchestrator."""
    return Contact(presence=Presence.AWAITED, since=now)


def heard(now: float) -> Contact:
    """Any sign of life connects a node."""
    return Contact(presence=Presence.CONNECTED, since=now)


def silent_until(contact: Contact, now: float, timeout_seconds: float) -> Contact:
    """Let time pass: a node that was silent for too long is lost."""
    if contact.presence is Presence.LOST or now - contact.since < timeout_seconds:
        return contact
    return Contact(presence=Presence.LOST, since=now)


def unheard(contact: Contact, now: float, deaf_seconds: float) -> Contact:
    """Let time pass in which nobody listened: it does not count as silence."""
    since = min(now, contact.since + deaf_seconds)
    return Contact(presence=contact.presence, since=since)
