"""The jobs that flags describe (spec cli.md 9.2, 9.3)."""

from __future__ import annotations

from typing import Any

import pytest

from bacalhau.cli.docker.run import docker_engine
from bacalhau.cli.flags.job import JOB_FLAGS, TASK_FLAGS, build_job
from bacalhau.cli.submission import checked, dry_run
from bacalhau.cli.syntax import parse
from bacalhau.errors import UserError
from bacalhau.lib.yaml_document import load_yaml
from bacalhau.models import Job, JobType, NetworkType, SpecConfig
from bacalhau.models.jobfile import load_job

FLAGS = (*JOB_FLAGS, *TASK_FLAGS)
ENGINE = SpecConfig(type="docker", params={"Image": "ubuntu"})


def build(*arguments: str) -> tuple[Job, list[str]]:
    values = parse(arguments, FLAGS).values
    options: dict[str, Any] = {
        flag.long.replace("-", "_"): values.get(flag.long, flag.fallback) for flag in FLAGS
    }
    return build_job(ENGINE, options, values.keys())


def job(*arguments: str) -> Job:
    return build(*arguments)[0]


def test_nothing_given_is_one_batch_execution() -> None:
    plain = job()
    assert (plain.type, plain.count, plain.namespace, plain.name) == (
        JobType.BATCH,
        1,
        "default",
        "",
    )
    assert plain.task.name == "main"
    assert plain.task.network.type is NetworkType.NONE
    assert plain.task.result_paths == []
    assert plain.task.publisher.is_empty


def test_job_flags() -> None:
    built = job(
        *("--name", "n", "--namespace", "ns", "--priority", "5", "--count", "3"),
        *("--target", "all", "--constraints", "b=1,!a", "-l", "k=v=w,bare", "-l", "k=x"),
    )
    assert (built.name, built.namespace, built.priority, built.count) == ("n", "ns", 5, 3)
    assert built.type is JobType.OPS
    assert [(c.key, c.operator, c.values) for c in built.constraints] == [
        ("a", "!", []),
        ("b", "=", ["1"]),
    ]
    assert built.labels == {"k": "x", "bare": ""}


def test_task_flags() -> None:
    task = job(
        *("--task-name", "t", "--cpu", "500m", "--memory", "1Gi", "--disk", "2Gb", "--gpu", "1"),
        *("--network", " http ", "--domain", " Example.COM ", "--domain", "b.org"),
        *("--timeout", "60", "--queue-timeout", "30"),
    ).task
    assert task.name == "t"
    assert (task.resources.cpu, task.resources.memory) == ("500m", "1Gi")
    assert (task.resources.disk, task.resources.gpu) == ("2Gb", "1")
    assert task.network.type is NetworkType.HTTP
    assert task.network.domains == ["example.com", "b.org"]
    assert (task.timeouts.total_timeout, task.timeouts.queue_timeout) == (60, 30)


def test_outputs_are_added_where_results_are_published() -> None:
    paths = [(r.name, r.path) for r in job("-p", "local").task.result_paths]
    assert paths == [("outputs", "/outputs")]
    assert [r.name for r in job("-p", "local", "-o", "mine:/outputs/").task.result_paths] == [
        "mine"
    ]
    assert [r.name for r in job("-p", "local", "-o", "a:/a").task.result_paths] == ["a", "outputs"]
    assert [r.name for r in job("-o", "a:/a").task.result_paths] == ["a"]


def test_the_last_publisher_wins_and_warnings_are_returned() -> None:
    built, warnings = build("-p", "ipfs", "-p", "s3://b/k,opt=compress=true")
    assert built.task.publisher.type == "s3"
    assert warnings == ['option "compress" has no effect on publisher s3']


def test_deprecated_names_work() -> None:
    assert job("--concurrency", "4").count == 4
    assert job("-s", "a=1").constraints[0].key == "a"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--count", "2", "--concurrency", "3"],
            "if any flags in the group [count concurrency] are set none of the others can be; "
            "[concurrency count] were all set",
        ),
        (["--target", "some"], 'expecting "any" or "all", not "some"'),
        (["--network", "lan"], "models.Network: unknown type 'lan'"),
        (["--constraints", "version gt 2.0"], "failed to parse job constraints: failed to parse"),
        (["-l", "a b=c"], "received invalid job labels"),
        (["-l", "k=" + "v" * 64], "received invalid job labels"),
        (["-i", "nope://x"], 'invalid argument "nope://x" for "-i, --input" flag'),
        (["-o", "x"], 'invalid argument "x" for "-o, --output" flag: invalid output volume'),
    ],
)
def test_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        build(*arguments)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpu", "x"], "the job provided is invalid: task main validation failed"),
        (["--count=-1"], "job count must be >= 0"),
        (["-i", "s3://b/k", "-i", "s3://b/l"], "already exists"),
        (["--timeout=-1"], "timeout"),
    ],
)
def test_invalid_jobs_are_refused_before_they_are_sent(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError) as caught:
        checked(job(*arguments))
    assert caught.value.message.startswith("the job provided is invalid: ")
    assert message in caught.value.message


def test_the_same_input_at_two_places_is_fine() -> None:
    built, _ = checked(job("-i", "s3://b/k:/one", "-i", "s3://b/k:/two"))
    assert [source.target for source in built.task.input_sources] == ["/one", "/two"]


def test_a_dry_run_can_be_run() -> None:
    engine = docker_engine(["ubuntu", "echo", "hi"], workdir="", entrypoint=[], env=[])
    options = {flag.long.replace("-", "_"): flag.fallback for flag in FLAGS}
    built, _ = checked(build_job(engine, options, ())[0])
    text = dry_run(built)
    assert load_yaml(text)["Tasks"][0]["Engine"]["Params"] == {
        "Entrypoint": None,
        "EnvironmentVariables": None,
        "Image": "ubuntu",
        "Parameters": ["echo", "hi"],
        "WorkingDirectory": "",
    }
    assert list(load_yaml(text)) == sorted(
        ["Constraints", "Count", "Labels", "Meta", "Name", "Namespace", "Priority", "Tasks", "Type"]
    )
    read, warnings = load_job(text)
    assert checked(read) == (built, [])
    assert warnings == []


def test_a_working_directory_must_be_absolute() -> None:
    with pytest.raises(UserError, match="must contain absolute path"):
        docker_engine(["ubuntu"], workdir="rel", entrypoint=[], env=[])
