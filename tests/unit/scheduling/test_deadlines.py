"""How late an execution may be before it is given up (HousekeepingTimeout)."""

from __future__ import annotations

import pytest

from bacalhau.models import ComputeState, DesiredState, TimeoutConfig
from bacalhau.scheduling.counted import schedule_batch
from bacalhau.scheduling.plan import Claim
from tests.support.records import (
    START_NS,
    decide,
    make_context,
    make_evaluation,
    make_execution,
    make_job,
    make_node,
    make_snapshot,
)

SECOND_NS = 1_000_000_000


@pytest.mark.parametrize(
    ("backstop", "after", "is_given_up"),
    [(120.0, 129, False), (120.0, 131, True), (0.5, 10, False), (0.5, 11, True)],
)
def test_what_is_too_late_is_given_up_and_the_next_look_is_planned(
    backstop: float, after: int, is_given_up: bool
) -> None:
    job = make_job(timeouts=TimeoutConfig(execution_timeout=10))
    run = make_execution(ComputeState.RUNNING, DesiredState.RUNNING)
    now_ns = START_NS + after * SECOND_NS
    context = make_context(make_node(), now_ns=now_ns)._replace(backstop_seconds=backstop)
    plan = decide(schedule_batch, make_snapshot(job, run), Claim(make_evaluation()), context)
    given_up = plan.changes is not None and any(
        found.id == run.id and found.is_terminal for found in plan.changes.executions
    )
    assert given_up is is_given_up
    if not is_given_up:
        assert plan.next_deadline_ns == START_NS + int((10 + backstop) * SECOND_NS)
