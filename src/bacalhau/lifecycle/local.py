"""States of an execution on its compute node (spec orchestration.md 1.3, "compute copy").

The node's record and the orchestrator's are linked by messages alone, which may come twice or too
late. So every step is judged by the state that is stored: it leads to a state, or it is refused
without any effect.
"""

from __future__ import annotations

import enum

from bacalhau.models import ComputeState


class Step(enum.Enum):
    """What may happen to an execution on its node. The first two are messages that arrive."""

    OFFERED = "offered"
    CANCELLED = "cancelled"
    BID = "bid"
    REFUSED = "refused"
    BEGUN = "begun"
    STARTED = "started"
    TASK_ENDED = "task ended"
    COMPLETED = "completed"
    FAILED = "failed"


class Refusal(enum.Enum):
    """Why a step has no effect.

    ``UNKNOWN``: there is no such execution. ``KNOWN``: an offer of one that goes on already.
    ``ENDED``: its state will never change again. ``OUT_OF_TURN``: the step belongs to another
    phase; repeated messages end here, too.
    """

    UNKNOWN = "unknown"
    KNOWN = "known"
    ENDED = "ended"
    OUT_OF_TURN = "out of turn"


_LIVE = (
    ComputeState.NEW,
    ComputeState.BID_ACCEPTED,
    ComputeState.RUNNING,
    ComputeState.PUBLISHING,
)

_MOVES: dict[Step, dict[ComputeState, ComputeState]] = {
    Step.CANCELLED: dict.fromkeys(_LIVE, ComputeState.CANCELLED),
    Step.BID: {ComputeState.NEW: ComputeState.BID_ACCEPTED},
    Step.REFUSED: {ComputeState.NEW: ComputeState.ASK_FOR_BID_REJECTED},
    # Noted while inputs are fetched, so that the time they take counts over a restart, too.
    Step.BEGUN: {
        ComputeState.BID_ACCEPTED: ComputeState.BID_ACCEPTED,
        ComputeState.RUNNING: ComputeState.RUNNING,
    },
    # From Running again: the node has restarted and joins the task, or starts it anew.
    Step.STARTED: {
        ComputeState.BID_ACCEPTED: ComputeState.RUNNING,
        ComputeState.RUNNING: ComputeState.RUNNING,
    },
    Step.TASK_ENDED: {ComputeState.RUNNING: ComputeState.PUBLISHING},
    Step.COMPLETED: {
        ComputeState.RUNNING: ComputeState.COMPLETED,
        ComputeState.PUBLISHING: ComputeState.COMPLETED,
    },
    Step.FAILED: {
        ComputeState.NEW: ComputeState.FAILED,
        ComputeState.BID_ACCEPTED: ComputeState.FAILED,
        ComputeState.RUNNING: ComputeState.FAILED,
        ComputeState.PUBLISHING: ComputeState.FAILED,
    },
}


def next_state(current: ComputeState | None, step: Step) -> ComputeState | Refusal:
    """Return the state that a step leads to, or why it has no effect.

    ``current`` is None for an execution that this node does not know.
    """
    if current is None:
        return ComputeState.NEW if step is Step.OFFERED else Refusal.UNKNOWN
    if current.is_terminal:
        return Refusal.ENDED
    if step is Step.OFFERED:
        return Refusal.KNOWN
    return _MOVES[step].get(current, Refusal.OUT_OF_TURN)
