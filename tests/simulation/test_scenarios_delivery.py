"""Scenarios 19 to 23: order, choice of nodes, environment, and repeated messages."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bacalhau.models import (
    EvaluationID,
    JobID,
    JobState,
    JobType,
    LabelSelectorRequirement,
    ResourcesConfig,
)
from bacalhau.orchestrator.broker import Broker
from bacalhau.testing.network import NetworkFaults
from tests.support.cluster_stage import cluster
from tests.support.compute_node import simulated, task, until
from tests.support.records import make_evaluation

if TYPE_CHECKING:
    from bacalhau.models import Task


@simulated
async def test_19_evaluations_of_one_job_never_run_together_and_three_are_one_look() -> None:
    broker = Broker()

    def ask(name: str) -> None:
        evaluation = make_evaluation(id=EvaluationID(name), job_id=JobID("j-1"))
        broker.enqueue(evaluation, stored=True)

    ask("v-0")
    first = await broker.claim()
    for name in ("v-1", "v-2", "v-3"):
        ask(name)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(100):
            await broker.claim()
    broker.done(first, kept=None, shape=None)
    second = await broker.claim()

    assert [each.id for each in second.stored] == ["v-1", "v-2", "v-3"]
    broker.done(second, kept=None, shape=None)
    assert JobID("j-1") not in broker


@simulated
async def test_20_in_a_nodes_queue_priority_goes_first_and_small_work_passes_large() -> None:
    def sized(cpu: str, seconds: float) -> Task:
        return task(engine={"Seconds": seconds}, resources=ResourcesConfig(cpu=cpu))

    async with cluster() as stage:
        node = await stage.node()
        ops = {"type": JobType.OPS}  # they go to their nodes whether there is room or not
        first = await stage.submit(sized("3", 10), **ops)
        await until(lambda: node.tasks.started)
        large = await stage.submit(sized("4", 10), **ops)
        urgent = await stage.submit(sized("4", 10), priority=5, **ops)
        small = await stage.submit(sized("1", 1), **ops)
        for job in (large, urgent, small):
            await stage.until_state(job, JobState.COMPLETED)

        order = [stage.executions(job)[0].id for job in (first, small, urgent, large)]
        assert node.tasks.started == order


@pytest.mark.parametrize(
    ("key", "operator", "values", "expected"),
    [
        ("zone", "in", ["a", "c"], ["n-a"]),
        ("zone", "=", ["b"], ["n-b"]),
        ("zone", "==", ["b"], ["n-b"]),
        ("zone", "notin", ["a"], ["n-b", "n-bare"]),
        ("zone", "!=", ["a"], ["n-b", "n-bare"]),
        ("zone", "exists", [], ["n-a", "n-b"]),
        ("zone", "!", [], ["n-bare"]),
        ("cores", "gt", ["8"], ["n-b"]),
        ("cores", "lt", ["8"], []),
    ],
)
def test_21_label_operators(
    key: str, operator: str, values: list[str], expected: list[str]
) -> None:
    labels = {
        "n-a": {"zone": "a", "cores": "many"},
        "n-b": {"zone": "b", "cores": "16"},
        "n-bare": {},
    }

    @simulated
    async def play() -> None:
        async with cluster() as stage:
            for name, of_node in labels.items():
                await stage.node(name, labels=of_node)
            wanted = LabelSelectorRequirement(key=key, operator=operator, values=values)
            job = await stage.submit(type=JobType.OPS, constraints=[wanted])
            await until(lambda: stage.job(job).is_terminal)
            assert sorted(stage.where(job)) == expected

    play()


@simulated
async def test_22_executions_are_told_their_partition() -> None:
    names = ("BACALHAU_PARTITION_INDEX", "BACALHAU_PARTITION_COUNT")
    async with cluster() as stage:
        await stage.node()
        printed = {"Print": [f"env:{name}" for name in names]}
        job = await stage.submit(task(engine=printed))
        await stage.until_state(job, JobState.COMPLETED)
        output = stage.executions(job)[0].run_output
        assert output is not None
        assert output.stdout == "0\n1\n"


@simulated
async def test_23_every_message_twice_is_harmless() -> None:
    async with cluster() as stage:
        stage.transport.faults = NetworkFaults(doubling=1.0, delay_seconds=0.5)
        node = await stage.node()
        done = await stage.submit(task(engine={"Seconds": 5}))
        failed = await stage.submit(task(engine={"Failure": "no"}))
        stopped = await stage.submit(task(engine={"Seconds": -1}))
        await until(lambda: len(node.tasks.started) == 3)
        await stage.orchestrator.intake.stop(stopped, "enough")
        await stage.until_state(done, JobState.COMPLETED)
        await stage.until_state(failed, JobState.FAILED)
        await until(lambda: not node.tasks.ends)
        before = [await stage.history(job) for job in (done, failed, stopped)]
        await asyncio.sleep(300)

        assert [await stage.history(job) for job in (done, failed, stopped)] == before
        assert [len(stage.executions(job)) for job in (done, failed, stopped)] == [1, 1, 1]
        assert len(set(node.tasks.started)) == len(node.tasks.started) == 3
        for history in before:
            assert len(history) <= 6


def test_every_scenario_of_the_list_has_its_test() -> None:
    files = Path(__file__).parent.glob("test_scenarios_*.py")
    text = "\n".join(file.read_text(encoding="utf-8") for file in files)
    numbers = [int(number) for number in re.findall(r"def test_(\d\d)_", text)]
    assert sorted(numbers) == list(range(1, 24))
