"""Telling that there are not enough nodes, and why (spec orchestration.md 2.14)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bacalhau.lib.timestamps import rfc3339
from bacalhau.models import Event, Topic, short_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.scheduling.feasibility import Verdict


def shortage_text(requested: int, suitable: int, verdicts: Sequence[Verdict]) -> str:
    """Say how many nodes are missing, with one line for each reason, most frequent first."""
    head = (
        f"not enough nodes to run job. requested: {requested}, "
        f"available: {len(verdicts)}, suitable: {suitable}."
    )
    return "\n".join([head, *_reason_lines(verdicts)])


def no_match_text(verdicts: Sequence[Verdict]) -> str:
    """Say that no node fits a job that wants every node that does."""
    head = f"not matching nodes to run job out of {len(verdicts)} available nodes."
    return "\n".join([head, *_reason_lines(verdicts)])


def no_match_event(now_ns: int, verdicts: Sequence[Verdict]) -> Event:
    """The job fails because no node fits it."""
    return Event(
        message=no_match_text(verdicts),
        topic=Topic.SCHEDULING.value,
        timestamp=rfc3339(now_ns),
        details={"IsError": "true", "NodesAvailable": str(len(verdicts))},
    )


def shortage_event(
    now_ns: int, requested: int, suitable: int, verdicts: Sequence[Verdict]
) -> Event:
    """The job fails for want of nodes."""
    return Event(
        message=shortage_text(requested, suitable, verdicts),
        topic=Topic.SCHEDULING.value,
        timestamp=rfc3339(now_ns),
        details={
            "IsError": "true",
            "NodesRequested": str(requested),
            "NodesAvailable": str(len(verdicts)),
            "NodesSuitable": str(suitable),
        },
    )


def _reason_lines(verdicts: Sequence[Verdict]) -> list[str]:
    reasons = Counter(verdict.reason for verdict in verdicts if verdict.reason)
    return [
        f"• {_who(reason, count, verdicts)}: {reason}"
        for reason, count in sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    ]


def _who(reason: str, count: int, verdicts: Sequence[Verdict]) -> str:
    if count > 1:
        return f"{count} of {len(verdicts)} nodes"
    node_id = next(verdict.node.node_id for verdict in verdicts if verdict.reason == reason)
    return f"Node {short_id(node_id)}"
