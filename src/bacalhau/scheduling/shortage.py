"""Telling that there are not enough nodes, why, and what to do (spec orchestration.md 2.14)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bacalhau.errors import Code
from bacalhau.lifecycle.events import failure
from bacalhau.models import Event, NodeID, Topic, short_id
from bacalhau.scheduling.feasibility import REJECTED, Lack, lack_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bacalhau.models import Execution
    from bacalhau.scheduling.feasibility import Verdict
    from bacalhau.scheduling.requirements import Requirements

_REMEDIES = {
    Lack.ENGINE: "choose an engine that a node offers: `bacalhau node list --show features`",
    Lack.PUBLISHER: "choose a publisher that a node offers: `bacalhau node list --show features`",
    Lack.SOURCE: "choose input sources that a node offers: `bacalhau node list --show features`; "
    "local ones need Compute.AllowListedLocalPaths there",
    Lack.LABELS: "change Constraints, or give a node such labels: "
    "`bacalhau node list --show labels`",
    Lack.SIZE: "ask for less in Resources: `bacalhau node list --show capacity`",
}
_NO_NODES = (
    "start the server with both roles, `bacalhau serve --orchestrator --compute`, "
    "or approve a node that waits: `bacalhau node list`"
)
_NO_ROOM = "raise Timeouts.QueueTimeout, or make room by stopping other jobs: `bacalhau job list`"


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


def no_match_event(now_ns: int, wanted: Requirements, verdicts: Sequence[Verdict]) -> Event:
    """The job fails because no node fits it."""
    return failure(
        now_ns,
        Topic.SCHEDULING,
        no_match_text(verdicts),
        Code.NOT_ENOUGH_NODES,
        hint=_remedy(wanted, verdicts, {}),
        NodesAvailable=str(len(verdicts)),
    )


def shortage_event(
    now_ns: int,
    requested: int,
    suitable: int,
    wanted: Requirements,
    verdicts: Sequence[Verdict],
    refused: Sequence[Execution],
) -> Event:
    """The job fails for want of nodes. ``refused`` are the executions that nodes did not take."""
    by_node = {run.node_id: run for run in refused}
    explained = [_explained(verdict, by_node) for verdict in verdicts]
    return failure(
        now_ns,
        Topic.SCHEDULING,
        shortage_text(requested, suitable, explained),
        Code.NOT_ENOUGH_NODES,
        hint=_remedy(wanted, explained, by_node),
        NodesRequested=str(requested),
        NodesAvailable=str(len(verdicts)),
        NodesSuitable=str(suitable),
    )


def _explained(verdict: Verdict, refused: Mapping[NodeID, Execution]) -> Verdict:
    """Put in what a node has said, where all that the verdict says is that it refused."""
    run = refused.get(verdict.node.node_id)
    if run is None or verdict.reason != REJECTED:
        return verdict
    return verdict._replace(reason=run.compute_state.message or REJECTED)


def _remedy(
    wanted: Requirements, verdicts: Sequence[Verdict], refused: Mapping[NodeID, Execution]
) -> str:
    """Return a line for each thing to do, for the most frequent reason first."""
    if not verdicts:
        return _NO_NODES
    found: Counter[str] = Counter()
    for verdict in verdicts:
        run = refused.get(verdict.node.node_id)
        lack = lack_of(verdict.node, wanted)
        if lack is not None:
            found[_REMEDIES[lack]] += 1
        elif run is not None:
            found[run.compute_state.details.get("Hint", "")] += 1
        elif verdict.is_busy:
            found[_NO_ROOM] += 1
    return "\n".join(hint for hint, _ in found.most_common() if hint)


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
