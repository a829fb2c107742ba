"""Why there are not enough nodes, counted, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bacalhau.lifecycle.connection import Presence
from bacalhau.models import (
    ComputeState,
    DesiredState,
    Event,
    ExecutionID,
    InputSource,
    JobState,
    LabelSelectorRequirement,
    NodeID,
    Resources,
    ResourcesConfig,
    SpecConfig,
    TimeoutConfig,
)
from bacalhau.scheduling.counted import schedule_batch
from bacalhau.scheduling.ops import schedule_ops
from bacalhau.scheduling.plan import Claim
from tests.support.records import (
    SECOND,
    START_NS,
    decide,
    make_context,
    make_evaluation,
    make_execution,
    make_job,
    make_node,
    make_snapshot,
    make_task,
)

if TYPE_CHECKING:
    from bacalhau.models import Execution, Job, Task
    from bacalhau.scheduling.cluster import NodeView

CLAIM = Claim(make_evaluation())
MARS = LabelSelectorRequirement(key="zone", operator="=", values=["mars"])
REFUSED = (ComputeState.ASK_FOR_BID_REJECTED, DesiredState.STOPPED)


def failure(
    job: Job,
    *nodes: NodeView,
    past: tuple[Execution, ...] = (),
    now_ns: int = START_NS,
) -> Event:
    """Decide on a job that must fail, and return the event that says why."""
    plan = decide(
        schedule_batch, make_snapshot(job, *past), CLAIM, make_context(*nodes, now_ns=now_ns)
    )
    assert plan.changes is not None
    assert plan.changes.job is not None
    assert plan.changes.job.state.state_type is JobState.FAILED
    event = plan.changes.history[-1].event
    assert event.details["IsError"] == "true"
    assert event.details["ErrorCode"] == "Orchestrator:NotEnoughNodes"
    return event


@pytest.mark.parametrize(
    ("task", "reason", "remedy"),
    [
        (make_task(engine=SpecConfig(type="podman")), "does not support podman", "an engine"),
        (make_task(publisher=SpecConfig(type="ftp")), "does not support ftp", "a publisher"),
        (
            make_task(
                input_sources=[InputSource(source=SpecConfig(type="tape"), target="/inputs")]
            ),
            "does not support tape",
            "input sources",
        ),
        (
            make_task(resources=ResourcesConfig(memory="900tb")),
            "more memory (900 TB) than the maximum",
            "ask for less in Resources",
        ),
    ],
    ids=["engine", "publisher", "source", "size"],
)
def test_each_lack_has_its_remedy(task: Task, reason: str, remedy: str) -> None:
    event = failure(make_job(task=task), make_node())
    assert reason in event.message
    assert remedy in event.details["Hint"]


def test_nodes_are_counted_by_reason_whatever_other_labels_they_have() -> None:
    nodes = [make_node(f"n-{n}", labels={"id": str(n)}) for n in range(3)]
    nodes.append(make_node("n-3", labels={"zone": "venus"}))
    event = failure(make_job(constraints=[MARS]), *nodes)
    _, *reasons = event.message.split("\n")
    assert [reason.partition(":")[0] for reason in reasons] == ["• 3 of 4 nodes", "• Node n-3"]
    assert "labels [zone=venus] don't match" in reasons[1]
    assert event.details["Hint"].startswith("change Constraints")


def test_remedies_of_several_reasons_come_most_frequent_first() -> None:
    small = make_node("n-1", capacity=Resources(cpu=0.1))
    others = [make_node(f"n-{n}", engines=frozenset({"docker"})) for n in (2, 3)]
    hints = failure(make_job(), small, *others).details["Hint"].split("\n")
    assert [hint.split(":")[0] for hint in hints] == [
        "choose an engine that a node offers",
        "ask for less in Resources",
    ]


def test_without_any_node_it_says_how_to_start_one() -> None:
    event = failure(make_job())
    assert "available: 0" in event.message
    assert "bacalhau serve --orchestrator --compute" in event.details["Hint"]


def test_a_refusal_is_told_in_the_nodes_own_words_with_its_hint() -> None:
    past = make_execution(*REFUSED, message="rejected bid: no", details={"Hint": "ask elsewhere"})
    event = failure(make_job(), make_node(), past=(past,))
    assert event.message.endswith("\n• Node n-1: rejected bid: no")
    assert event.details["Hint"] == "ask elsewhere"


def test_equal_refusals_are_counted_together() -> None:
    past = tuple(
        make_execution(
            *REFUSED, message="rejected bid: no", id=ExecutionID(f"e-{n}"), node_id=NodeID(f"n-{n}")
        )
        for n in range(2)
    )
    event = failure(make_job(), make_node("n-0"), make_node("n-1"), past=past)
    assert event.message.endswith("\n• 2 of 2 nodes: rejected bid: no")
    assert "Hint" not in event.details


@pytest.mark.parametrize(
    "node",
    [make_node(booked=Resources(cpu=6)), make_node(presence=Presence.AWAITED)],
    ids=["full", "away"],
)
def test_waiting_too_long_for_room(node: NodeView) -> None:
    job = make_job(timeouts=TimeoutConfig(queue_timeout=60))
    event = failure(job, node, now_ns=START_NS + 60 * SECOND)
    assert "Timeouts.QueueTimeout" in event.details["Hint"]


def test_an_ops_job_that_fits_nowhere_has_a_remedy_too() -> None:
    job = make_job(constraints=[MARS])
    plan = decide(schedule_ops, make_snapshot(job), CLAIM, make_context(make_node()))
    assert plan.changes is not None
    details = plan.changes.history[-1].event.details
    assert details["ErrorCode"] == "Orchestrator:NotEnoughNodes"
    assert details["Hint"].startswith("change Constraints")
