"""Small behaviour of the records themselves (spec api.md 1)."""

from __future__ import annotations

import msgspec
import pytest

import bacalhau.models
from bacalhau.models import (
    AllocatedResources,
    ComputeState,
    DesiredState,
    Execution,
    Job,
    JobState,
    JobType,
    NetworkType,
    Resources,
    SpecConfig,
    State,
    Task,
    TimeoutConfig,
    api_name,
    short_id,
)

_UUID = "3b1d6a0e-7f0d-4b0e-9d2c-5a3d1c2b4e6f"


@pytest.mark.parametrize(
    ("text", "short"),
    [
        (f"j-{_UUID}", "j-3b1d6a0e"),
        (f"n-{_UUID}", "n-3b1d6a0e"),
        (_UUID, "3b1d6a0e"),
        ("web", "web"),
        (f"job-{_UUID}", f"job-{_UUID}"),
        ("", ""),
    ],
)
def test_ids_are_shortened_to_eight_digits(text: str, short: str) -> None:
    assert short_id(text) == short


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("execution_id", "ExecutionID"),
        ("pre_signed_url", "PreSignedURL"),
        ("checksum_sha256", "ChecksumSHA256"),
        ("cid", "CID"),
        ("cpu", "CPU"),
    ],
)
def test_names_of_the_api_keep_their_acronyms(name: str, expected: str) -> None:
    assert api_name(name) == expected


def test_amounts_add_and_never_fall_below_zero() -> None:
    one = Resources(cpu=0.1, memory=10, disk=5, gpu=1)
    other = Resources(cpu=0.2, memory=3, disk=7)
    assert one + other == Resources(cpu=0.3, memory=13, disk=12, gpu=1)
    assert one - other == Resources(cpu=0, memory=7, disk=0, gpu=1)
    assert one.scaled(1.5) == Resources(cpu=0.15, memory=15, disk=7, gpu=1)
    assert AllocatedResources(tasks={"a": one, "b": other}).total() == one + other


def test_amounts_are_compared_in_every_dimension() -> None:
    node = Resources(cpu=1, memory=10, disk=10, gpu=0)
    assert Resources(cpu=1, memory=10).fits_into(node)
    assert not Resources(cpu=1.001).fits_into(node)
    assert not Resources(gpu=1).fits_into(node)


def test_sums_of_tenths_of_a_core_still_fit() -> None:
    total = sum([Resources(cpu=0.1)] * 10, Resources())
    assert total.fits_into(Resources(cpu=1))
    assert (total - Resources(cpu=1)).cpu == 0


def test_empty_amounts_are_left_out() -> None:
    assert msgspec.json.encode(Resources(cpu=0.1) - Resources(cpu=0.1)) == b"{}"


def test_states_know_whether_they_end_something() -> None:
    assert {state for state in JobState if state.is_terminal} == {"Completed", "Failed", "Stopped"}
    assert {state.title for state in ComputeState if state.is_terminal} == {
        "AskForBidRejected",
        "BidRejected",
        "Completed",
        "Failed",
        "Cancelled",
    }
    assert not ComputeState.COMPLETED.is_discarded
    assert ComputeState.FAILED.is_discarded
    assert [state.title for state in ComputeState if state.is_executing] == [
        "BidAccepted",
        "Running",
        "Publishing",
    ]
    assert DesiredState.STOPPED.title == "Stopped"
    assert [kind for kind in JobType if kind.is_long_running] == ["service", "daemon"]


def test_unknown_words_for_states_are_undefined_and_for_networks_an_error() -> None:
    assert JobState("running") is JobState.RUNNING
    assert JobState("odd") is JobState.UNDEFINED
    assert NetworkType("FULL") is NetworkType.FULL
    with pytest.raises(ValueError):
        NetworkType("odd")


def _execution(desired: DesiredState, compute: ComputeState) -> Execution:
    return Execution(
        desired_state=State[DesiredState](state_type=desired),
        compute_state=State[ComputeState](state_type=compute),
    )


def test_an_execution_ends_when_either_side_says_so() -> None:
    assert not _execution(DesiredState.RUNNING, ComputeState.RUNNING).is_terminal
    assert _execution(DesiredState.STOPPED, ComputeState.RUNNING).is_terminal
    failed = _execution(DesiredState.RUNNING, ComputeState.FAILED)
    assert failed.is_terminal
    assert failed.is_discarded


def test_kinds_are_compared_in_lower_case() -> None:
    assert SpecConfig(type=" Docker ").kind == "docker"
    assert SpecConfig(type=" ").is_empty
    assert not SpecConfig(params={"a": 1}).is_empty


def test_the_limit_of_an_execution_falls_back_to_the_total() -> None:
    assert TimeoutConfig(total_timeout=9).effective_execution_timeout == 9
    limits = TimeoutConfig(execution_timeout=5, total_timeout=9)
    assert limits.effective_execution_timeout == 5


def test_a_job_always_shows_its_lists_and_maps() -> None:
    job = Job(type=JobType.BATCH, tasks=[Task(engine=SpecConfig(type="noop"))])
    assert msgspec.to_builtins(job) == {
        "ID": "",
        "Name": "",
        "Namespace": "",
        "Type": "batch",
        "Priority": 0,
        "Count": 0,
        "Constraints": [],
        "Meta": {},
        "Labels": {},
        "Tasks": [
            {
                "Name": "",
                "Engine": {"Type": "noop"},
                "Publisher": {"Type": ""},
                "Resources": {},
                "Network": {"Type": "None"},
                "Timeouts": {},
            }
        ],
        "State": {"StateType": "Undefined"},
        "Version": 0,
        "Revision": 0,
        "CreateTime": 0,
        "ModifyTime": 0,
    }
    assert not job.is_terminal
    assert job.task.engine.kind == "noop"


def test_all_public_names_exist() -> None:
    assert all(hasattr(bacalhau.models, name) for name in bacalhau.models.__all__)


@pytest.mark.parametrize(
    ("kind", "count", "parts"),
    [
        (JobType.BATCH, 3, 3),
        (JobType.SERVICE, 2, 2),
        (JobType.BATCH, 0, 1),
        (JobType.OPS, 3, 1),
        (JobType.DAEMON, 0, 1),
    ],
)
def test_only_counted_jobs_are_divided(kind: JobType, count: int, parts: int) -> None:
    assert Job(type=kind, count=count).partition_count == parts
