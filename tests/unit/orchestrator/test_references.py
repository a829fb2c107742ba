"""What users may write for an id."""

from __future__ import annotations

import pytest

from bacalhau.errors import AmbiguousError, NotFoundError, UserError
from bacalhau.lifecycle.changes import JobChanges
from bacalhau.models import Execution, ExecutionID, JobID
from bacalhau.orchestrator.references import find_execution, find_job, find_node
from bacalhau.testing.store_memory import MemoryJobStore
from tests.support.api_server import make_node_state
from tests.support.records import make_execution, make_job

_ONE = "j-5f0e7a10-1c7e-4d7c-9a0a-000000000001"
_TWO = "j-5f0e7a10-1c7e-4d7c-9a0a-000000000002"


async def _store(*ids: str) -> MemoryJobStore:
    store = MemoryJobStore()
    for job_id in ids:
        await store.apply(JobChanges(job_id=JobID(job_id), job=make_job(id=JobID(job_id))))
    return store


@pytest.mark.parametrize("reference", [_ONE, _ONE[2:], "j-5f0e7a10", "5f0e7a10", "j", "5"])
async def test_a_job_is_found_by_its_id_or_the_beginning_with_and_without_letter(
    reference: str,
) -> None:
    assert find_job(await _store(_ONE, "web"), reference).id == _ONE


async def test_an_exact_id_is_preferred_to_longer_ones() -> None:
    store = await _store("web", "web-2", "j-web")
    assert find_job(store, "web").id == "web"
    assert find_job(store, "web-2").id == "web-2"


@pytest.mark.parametrize("reference", ["j-5f0e7a10", "5f0e7a10", "j"])
async def test_a_beginning_that_several_jobs_share_is_refused(reference: str) -> None:
    with pytest.raises(AmbiguousError) as caught:
        find_job(await _store(_ONE, _TWO), reference)
    assert caught.value.message == f"multiple jobs found for id {reference}"
    assert caught.value.code == "MultipleJobsFound"
    assert caught.value.hint == "Use full job ID"


async def test_one_job_with_and_one_without_the_letter_are_several() -> None:
    with pytest.raises(AmbiguousError):
        find_job(await _store("web-1", "j-web-2"), "web")


async def test_an_unknown_job_is_told_as_it_was_written() -> None:
    with pytest.raises(NotFoundError, match=r"^job not found: zzz$") as caught:
        find_job(await _store(_ONE), "zzz")
    assert (caught.value.code, caught.value.component) == ("NotFound", "JobStore")


@pytest.mark.parametrize("reference", ["a/b", "..", "a b", "a\nb", "", "x" * 129, "ü", "a%2Fb"])
async def test_what_can_be_no_id_is_refused_with_the_rule(reference: str) -> None:
    with pytest.raises(UserError, match="is not the id of a job") as caught:
        find_job(await _store(_ONE), reference)
    assert caught.value.code == "BadRequest"
    assert "letters, digits" in caught.value.hint


def _executions(*ids: str) -> list[Execution]:
    return [make_execution(id=ExecutionID(name)) for name in ids]


@pytest.mark.parametrize("reference", ["e-aa11", "aa11", "e-aa", "aa"])
def test_an_execution_is_found_among_those_of_its_job(reference: str) -> None:
    assert find_execution(_executions("e-aa11", "e-bb"), reference).id == "e-aa11"


def test_several_executions_are_refused() -> None:
    with pytest.raises(AmbiguousError) as caught:
        find_execution(_executions("e-aa11", "e-aa22"), "e-aa")
    assert (caught.value.code, caught.value.hint) == (
        "MultipleExecutionsFound",
        "Use full execution ID",
    )


def test_an_unknown_execution_is_not_found() -> None:
    with pytest.raises(NotFoundError, match="execution not found: e-9"):
        find_execution(_executions("e-1"), "e-9")


@pytest.mark.parametrize(
    ("reference", "expected"),
    [("n-one", "n-one"), ("one", "n-one"), ("n-o", "n-one"), ("host.example", "host.example")],
)
def test_a_node_is_found_in_the_same_way(reference: str, expected: str) -> None:
    nodes = [make_node_state("n-one"), make_node_state("host.example")]
    assert find_node(nodes, reference).info.node_id == expected


def test_several_nodes_are_refused_and_unknown_ones_not_found() -> None:
    nodes = [make_node_state("n-1"), make_node_state("n-12"), make_node_state("n-13")]
    assert find_node(nodes, "n-1").info.node_id == "n-1"
    with pytest.raises(AmbiguousError) as caught:
        find_node(nodes, "n")
    assert caught.value.code == "MultipleNodesFound"
    with pytest.raises(NotFoundError, match="node not found: n-2"):
        find_node(nodes, "n-2")
