"""What a scheduler is given and what it decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from bacalhau.scheduling.deadlines import BACKSTOP_SECONDS, as_written
from bacalhau.scheduling.locality import LOCALITY_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.lifecycle.changes import JobChanges, JobDraft
    from bacalhau.models import Evaluation, ExecutionID, JobID, NodeID, Resources
    from bacalhau.scheduling.cluster import Cluster
    from bacalhau.scheduling.deadlines import Present
    from bacalhau.scheduling.feasibility import Verdict


class Context(NamedTuple):
    """The world as a decision sees it.

    ``draw`` gives numbers from 0 to 1, ``new_execution_id`` fresh identifiers; both are the only
    things that are not plain values, and both come from a seed in tests. ``backstop_seconds`` is
    how late an execution may be before it is given up; ``present`` makes up for a clock that was
    set, as in ``deadlines``. ``locality_seconds`` is how long a job may at most wait for a node
    that has its inputs while others have room.
    """

    cluster: Cluster
    now_ns: int
    draw: Callable[[], float]
    new_execution_id: Callable[[], ExecutionID]
    backstop_seconds: float = BACKSTOP_SECONDS
    present: Present = as_written
    locality_seconds: float = LOCALITY_SECONDS


class Claim(NamedTuple):
    """A job to look at, and the evaluations that ask for it.

    ``evaluation`` names the look; ``stored`` are all evaluations of the job in the store, which the
    plan settles: one is kept while the job waits for capacity, the others are dropped.
    """

    evaluation: Evaluation
    stored: tuple[Evaluation, ...] = ()


class Booking(NamedTuple):
    """Capacity that an execution takes on a node until it ends."""

    execution_id: ExecutionID
    job_id: JobID
    node_id: NodeID
    resources: Resources


class Plan(NamedTuple):
    """A decision on one job.

    ``changes`` is None when nothing needs to be written. ``blocked_shape`` is set when the job
    waits for capacity: jobs of one shape are interchangeable; ``kept`` is then the evaluation, as
    it is stored, under which it waits. ``next_deadline_ns`` is when time
    alone will change something; None when it never will. ``verdicts`` has one entry for each node
    looked at, with the reason why it was not chosen.
    """

    changes: JobChanges | None
    bookings: tuple[Booking, ...] = ()
    blocked_shape: bytes | None = None
    kept: Evaluation | None = None
    next_deadline_ns: int | None = None
    verdicts: tuple[Verdict, ...] = ()


class Scheduler(Protocol):
    """Decides on jobs of one type."""

    def __call__(self, draft: JobDraft, claim: Claim, context: Context) -> Plan:
        """Compare what the job wants with what it has, and plan the difference.

        The plan's changes are all of the draft's: what it held before, and what was added.
        """
        ...
