"""Which nodes a job may and would rather run on."""

from __future__ import annotations

import pytest

from bacalhau.models import Job, JobState, LabelSelectorRequirement, NodeID, SpecConfig
from bacalhau.scheduling.cluster import NodeView
from bacalhau.scheduling.counted import schedule_batch
from bacalhau.scheduling.feasibility import judge
from bacalhau.scheduling.plan import Claim, Plan
from bacalhau.scheduling.requirements import requirements_of
from tests.support.records import (
    decide,
    make_context,
    make_evaluation,
    make_job,
    make_node,
    make_snapshot,
    make_task,
)

EUROPE = LabelSelectorRequirement(key="region", operator="=", values=["eu"])
WITH_GPU = LabelSelectorRequirement(key="gpu", operator="=", values=["yes"])
RATHER_FAST = LabelSelectorRequirement(key="favour_disk", operator="=", values=["fast"])


def plan(job: Job, *nodes: NodeView, draw: float = 0.5) -> Plan:
    return decide(
        schedule_batch,
        make_snapshot(job),
        Claim(make_evaluation()),
        make_context(*nodes, draw=draw),
    )


def chosen(decided: Plan) -> list[NodeID]:
    return [booking.node_id for booking in decided.bookings]


def test_constraints_rule_nodes_out() -> None:
    job = make_job(constraints=[EUROPE])

    decided = plan(
        job, make_node("n-1", labels={"region": "us"}), make_node("n-2", labels={"region": "eu"})
    )

    assert chosen(decided) == ["n-2"]


def test_a_constraint_that_no_node_meets_is_told_with_the_labels_there_are() -> None:
    decided = plan(make_job(constraints=[EUROPE]), make_node("n-1", labels={"region": "us"}))

    assert decided.changes is not None
    job = decided.changes.job
    assert job is not None
    assert job.state.state_type is JobState.FAILED
    assert "labels [region=us] don't match required selectors [region" in job.state.message


def test_labels_that_a_node_lacks_are_told_as_well() -> None:
    decided = plan(make_job(constraints=[EUROPE, WITH_GPU]), make_node("n-1", labels={"gpu": "no"}))

    assert decided.changes is not None
    job = decided.changes.job
    assert job is not None
    assert (
        "labels [gpu=no, region (not set)] don't match required selectors [region=eu, gpu=yes]"
    ) in job.state.message


def test_a_favour_prefers_and_never_rules_out() -> None:
    job = make_job(constraints=[RATHER_FAST])
    slow, fast = make_node("n-1"), make_node("n-2", labels={"disk": "fast"})

    assert chosen(plan(job, slow, fast)) == ["n-2"]
    assert chosen(plan(job, slow)) == ["n-1"]


def test_the_node_with_more_room_is_preferred() -> None:
    busy = make_node("n-1", booked=make_node().capacity.scaled(0.5))

    assert chosen(plan(make_job(), busy, make_node("n-2"))) == ["n-2"]


def test_what_a_node_misses_is_named() -> None:
    decided = plan(
        make_job(), make_node("n-1", engines=frozenset({"docker"}), publishers=frozenset())
    )

    assert [verdict.reason for verdict in decided.verdicts] == [
        "does not support wasm, only docker"
    ]


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("dokcer", "does not support dokcer, only wasm; did you mean docker?"),
        ("wsam", "does not support wsam, only wasm; did you mean wasm?"),
        ("docker", "does not support docker, only wasm"),
        ("nonsense", "does not support nonsense, only wasm"),
    ],
)
def test_the_engine_that_may_have_been_meant_is_named(kind: str, reason: str) -> None:
    job = make_job(task=make_task(engine=SpecConfig(type=kind)))
    node = make_node(engines=frozenset({"wasm"}))
    (verdict,) = judge([node], requirements_of(job), {})
    assert verdict.reason == reason
