"""Jobs whose inputs some nodes have: where they run, and how long they wait for that."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bacalhau.models import InputSource, JobState, ResourcesConfig, SpecConfig
from bacalhau.protocol.messages import HeldInput
from bacalhau.simulation.inputs import BYTES_PER_SECOND
from tests.support.cluster_stage import ClusterStage, cluster
from tests.support.compute_node import now, simulated, task, until
from tests.support.records import make_task

if TYPE_CHECKING:
    from bacalhau.models import JobID, Task

GB = 10**9
FETCH_SECONDS = GB / BYTES_PER_SECOND


def reading(name: str = "data", size_bytes: int = GB, *, seconds: float = 1) -> Task:
    """A task that needs all cores of a node."""
    source = SpecConfig(type="simulated", params={"name": name, "bytes": size_bytes})
    return make_task(
        engine=SpecConfig(type="fake", params={"Seconds": seconds}),
        resources=ResourcesConfig(cpu="4"),
        input_sources=[InputSource(source=source, target="/inputs")],
    )


async def two_nodes(stage: ClusterStage) -> str:
    """Let two nodes join and one of them fetch the data; return which."""
    for name in ("n-1", "n-2"):
        await stage.node(name)
    first = await stage.submit(reading())
    await stage.until_state(first, JobState.COMPLETED)
    return stage.where(first)[0]


async def seconds_until_placed(stage: ClusterStage, job: JobID) -> float:
    began = now()
    await until(lambda: stage.executions(job))
    return now() - began


@simulated
async def test_the_next_job_goes_where_the_data_are_and_fetches_nothing() -> None:
    async with cluster() as stage:
        near = await two_nodes(stage)
        for _ in range(5):
            job = await stage.submit(reading())
            began = now()
            await stage.until_state(job, JobState.COMPLETED)
            assert stage.where(job) == [near]
            assert now() - began < FETCH_SECONDS


@simulated
async def test_a_job_waits_for_the_node_and_runs_there_once_it_is_free() -> None:
    async with cluster() as stage:
        near = await two_nodes(stage)
        await stage.submit(reading(seconds=6))
        job = await stage.submit(reading())
        assert 5 < await seconds_until_placed(stage, job) < 7
        assert stage.where(job) == [near]
        history = await stage.history(job)
        assert f"Job queued. waiting up to 10 s for node {near} which has 1.0 GB" in history[1]


@simulated
async def test_a_job_takes_another_node_when_the_wait_is_over() -> None:
    async with cluster() as stage:
        near = await two_nodes(stage)
        await stage.submit(reading(seconds=100))
        job, other = await stage.submit(reading()), await stage.submit(task())
        assert 9.5 < await seconds_until_placed(stage, job) < 11
        assert near not in stage.where(job)
        assert stage.where(other), "other jobs do not wait behind it"
        await stage.until_state(job, JobState.COMPLETED)
        assert await stage.store.open_evaluations() == []


@simulated
async def test_the_wait_goes_on_over_a_restart_of_the_orchestrator() -> None:
    async with cluster() as stage:
        near = await two_nodes(stage)
        await stage.submit(reading(seconds=100))
        job = await stage.submit(reading())
        await asyncio.sleep(4)
        await stage.crash()
        await stage.start()
        assert await seconds_until_placed(stage, job) < 7
        assert near not in stage.where(job)
        told = [line for line in await stage.history(job) if "waiting up to" in line]
        assert len(told) == 1


@simulated
async def test_nobody_waits_for_a_node_that_is_lost() -> None:
    async with cluster(locality_seconds=1000) as stage:
        await two_nodes(stage)
        huge = 100 * GB
        first = await stage.submit(reading("more", huge))
        await asyncio.sleep(huge / BYTES_PER_SECOND + 60)
        near = stage.where(first)[0]
        await stage.submit(reading("more", huge, seconds=10_000))
        job = await stage.submit(reading("more", huge))
        await asyncio.sleep(1)
        assert not stage.executions(job)
        process = stage.nodes[near].process
        assert process is not None
        await process.crash()
        assert await seconds_until_placed(stage, job) < 100
        assert near not in stage.where(job)


@simulated
async def test_what_nodes_have_is_told_to_a_new_orchestrator_at_once() -> None:
    async with cluster() as stage:
        near = await two_nodes(stage)
        await stage.crash()
        await stage.start()
        await until(lambda: held(stage, near))
        (told,) = held(stage, near)
        assert (told.held_bytes, told.total_bytes) == (GB, GB)


def held(stage: ClusterStage, name: str) -> list[HeldInput]:
    views = {node.node_id: node for node in stage.orchestrator.registry.cluster().nodes}
    return list(views[name].held.values())  # type: ignore[index]
