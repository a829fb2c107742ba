"""The commands against a server that has jobs, in the shapes of the original."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.api_server import store_job
from tests.support.cli import run_cli
from tests.support.golden_cli import assert_shape
from tests.support.jobs import finished_execution, finished_history, finished_job

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.models import Job
    from tests.support.cli import ServedApi

SPEC = """\
Name: mine
Type: batch
Count: 1
Tasks:
- Name: main
  Engine: {Type: docker, Params: {Image: ubuntu, Parameters: [echo, hello]}}
"""


@pytest.fixture
def job(server: ServedApi) -> Job:
    """A completed job on the server."""
    return add_job(server, 1)


def add_job(server: ServedApi, number: int) -> Job:
    job = finished_job(number)
    server.run(store_job(server.api.store, job, [finished_execution(job)], finished_history(job)))
    return job


def test_agent(server: ServedApi) -> None:
    assert server.cli("agent", "alive").stdout == "Status: OK\n"
    assert server.cli("agent", "alive", "--output", "json").stdout == '{"Status":"OK"}\n'
    version = server.cli("agent", "version")
    assert version.lines == [
        "Bacalhau v1.5.2",
        "BuildDate 2024-10-29 15:51:32 +0000 UTC",
        f"GitCommit {'a' * 40}",
    ]
    assert_shape(version, "agent-version")
    node = yaml.safe_load(server.cli("agent", "node").stdout)
    assert list(node) == ["Connection", "Info", "Membership"]
    assert node["Info"]["NodeID"] == "n-here"


def test_version(server: ServedApi) -> None:
    assert server.cli("version", "--client").lines == [" CLIENT  UPDATE MESSAGE", " v1.5.2"]
    assert server.cli("version").lines == [
        " CLIENT  SERVER  UPDATE MESSAGE",
        " v1.5.2  v1.5.2",
    ]
    versions = json.loads(server.cli("version", "--output", "json", "--pretty").stdout)
    assert list(versions) == ["clientVersion", "serverVersion"]
    assert list(versions["clientVersion"]) == list(versions["serverVersion"])


def test_version_without_a_server_is_no_error() -> None:
    outcome = run_cli("version", "--api-port", "1")
    assert outcome.code == 0
    assert outcome.lines == [" CLIENT  UPDATE MESSAGE", " v1.5.2"]


def test_job_list(server: ServedApi) -> None:
    jobs = [add_job(server, number) for number in (1, 2, 3)]
    outcome = server.cli("job", "list")
    assert outcome.lines == [
        " CREATED   ID          JOB     TYPE   STATE",
        " 12:02:02  j-2b1e6c11  docker  batch  Completed",
        " 12:03:02  j-2b1e6c12  docker  batch  Completed",
        " 12:04:02  j-2b1e6c13  docker  batch  Completed",
    ]
    newest = server.cli("job", "list", "--order-reversed", "--wide", "--hide-header")
    assert newest.lines[0] == f" 2024-10-09 12:04:02  {jobs[2].id}  docker  batch  Completed"
    one = server.cli("job", "list", "--labels", "number in (2, 5)", "--output", "csv")
    assert one.lines == [
        "created,id,job,type,state",
        f"2024-10-09 12:03:02,{jobs[1].id},docker,batch,Completed",
    ]


def test_job_list_tells_how_to_go_on(server: ServedApi) -> None:
    jobs = [add_job(server, number) for number in (1, 2, 3)]
    outcome = server.cli("job", "list", "--limit", "2")
    assert outcome.lines[3:5] == ["", "To fetch more records use:"]
    command = outcome.lines[5]
    assert command.startswith("\tbacalhau job list --limit 2 --next-token ")
    rest = server.cli(*command.split()[1:], "--output", "json")
    assert [job["ID"] for job in json.loads(rest.stdout)] == [jobs[2].id]


def test_job_list_as_json_is_an_array_and_nothing_else(server: ServedApi) -> None:
    add_job(server, 1)
    add_job(server, 2)
    outcome = server.cli("job", "list", "--limit", "1", "--output", "json")
    (job,) = json.loads(outcome.stdout)
    assert job["State"] == {"StateType": "Completed"}
    assert "--next-token" in outcome.stderr


def test_an_empty_list_is_a_header(server: ServedApi) -> None:
    assert server.cli("job", "list").stdout == " CREATED  ID  JOB  TYPE  STATE \n"
    assert server.cli("job", "list", "--hide-header").stdout == ""
    assert server.cli("job", "list", "--output", "json").stdout == "[]\n"


def test_job_describe(server: ServedApi, job: Job) -> None:
    outcome = server.cli("job", "describe", "j-2b1e6c11")
    assert outcome.lines[0] == f"ID            = {job.id}"
    headings = [line for line in outcome.lines if re.fullmatch(r"[A-Z][\w -]+", line)]
    assert headings == [
        "Summary",
        "Job History",
        "Executions",
        "Execution e-2b1e6c11 History",
        "Standard Output",
    ]
    assert outcome.lines[-3:] == ["hello", "", "oops"]
    document = json.loads(server.cli("job", "describe", "--output", "json", job.id).stdout)
    assert list(document) == ["Job", "History", "Executions"]
    assert document["Executions"]["Items"][0]["RunOutput"]["stderr"] == "oops\n"
    text = server.cli("job", "describe", "--output", "yaml", job.id).stdout
    assert "Stdout: |\n        hello\n" in text


def test_job_executions(server: ServedApi, job: Job) -> None:
    outcome = server.cli("job", "executions", job.id)
    assert outcome.lines == [
        " CREATED   MODIFIED  ID          NODE ID     REV.  STATE      DESIRED",
        " 12:02:02  12:02:09  e-2b1e6c11  n-5ac1b2d3  4     Completed  Stopped",
    ]


def test_job_history(server: ServedApi, job: Job) -> None:
    outcome = server.cli("job", "history", job.id)
    assert outcome.lines[:3] == [
        " TIME                 LEVEL           EXEC. ID    TOPIC         EVENT",
        " Oct  9 12:01:02.500  JobLevel                    Submission    Job submitted",
        " Oct  9 12:01:03.500  ExecutionLevel  e-2b1e6c11  Scheduling    "
        "Requested execution on n-5ac1b2d3",
    ]
    only = server.cli("job", "history", job.id, "--event-type", "execution", "--output", "json")
    assert {item["Type"] for item in json.loads(only.stdout)} == {"ExecutionLevel"}


def test_job_logs_writes_both_streams_to_stdout(server: ServedApi, job: Job) -> None:
    outcome = server.cli("job", "logs", job.id)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "hello\noops\n", "")


def test_job_stop(server: ServedApi) -> None:
    job_id = server.cli("job", "run", "--wait=false", stdin=SPEC).stdout.strip()
    outcome = server.cli("job", "stop", job_id)
    assert outcome.code == 0
    assert outcome.lines[:2] == ["Checking job status", ""]
    step = r"\t {0,20}[A-Z][a-z ]+  \.{16}  done ✅  0\.\ds"
    assert all(re.fullmatch(step, line) for line in outcome.lines[2:5])
    assert re.fullmatch(
        r"Job stop successfully submitted with evaluation ID: [0-9a-f-]{36}", outcome.lines[6]
    )
    again = server.cli("job", "stop", job_id)
    assert again.code == 1
    assert "err  ❌" in again.lines[3]
    assert again.stderr.endswith("The current state is: Stopped\n")


def test_job_stop_quietly(server: ServedApi) -> None:
    job_id = server.cli("job", "run", "--wait=false", stdin=SPEC).stdout.strip()
    outcome = server.cli("job", "stop", "--quiet", job_id)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "", "")


def test_node_list(server: ServedApi) -> None:
    outcome = server.cli("node", "list", "--output", "csv")
    assert outcome.lines == [
        "id,type,approval,status,labels,cpu,memory,disk,gpu",
        "n-here,Compute,APPROVED,CONNECTED,Architecture=amd64 Operating-System=linux,"
        "4.0 / 4.0,0.0 B / 0.0 B,0.0 B / 0.0 B,0 / 0",
    ]
    few = server.cli("node", "list", "--show=version", "--hide-header")
    assert few.lines == [" n-here  Compute  APPROVED  CONNECTED  v1.5.2  amd64  linux"]
    (node,) = json.loads(server.cli("node", "list", "--output", "json").stdout)
    assert list(node) == ["Info", "Membership", "Connection"]


def test_job_run_prints_the_id_alone(server: ServedApi, tmp_path: Path) -> None:
    path = tmp_path / "job.yaml"
    path.write_text(SPEC)
    outcome = server.cli("job", "run", "--wait=false", str(path))
    assert outcome.code == 0
    assert re.fullmatch(r"j-[0-9a-f-]{36}\n", outcome.stdout)
    assert outcome.stderr == ""
    described = server.cli("job", "describe", outcome.stdout.strip())
    assert "Name          = mine" in described.lines


def test_job_run_takes_what_job_describe_prints(server: ServedApi, job: Job) -> None:
    text = server.cli("job", "describe", "--output", "yaml", job.id).stdout
    outcome = server.cli("job", "run", "--wait=false", stdin=text)
    assert outcome.code == 0
    assert outcome.stdout.strip() != job.id


def test_warnings_go_where_they_do_no_harm(server: ServedApi) -> None:
    arguments = ("docker", "run", "-p", "s3://b/k,opt=compress=true", "ubuntu")
    warning = 'Warnings:\n\t* option "compress" has no effect on publisher s3\n'
    dry = server.cli(*arguments[:2], "--dry-run", *arguments[2:])
    assert yaml.safe_load(dry.stdout)["Type"] == "batch"
    assert dry.stderr == warning
    bare = server.cli(*arguments[:2], "--wait=false", *arguments[2:])
    assert re.fullmatch(r"j-[0-9a-f-]{36}\n", bare.stdout)
    assert bare.stderr == warning


def test_a_dry_run_needs_no_server() -> None:
    outcome = run_cli("job", "run", "--dry-run", "--api-port", "1", stdin=SPEC)
    assert outcome.code == 0
    assert yaml.safe_load(outcome.stdout)["Name"] == "mine"


def test_a_notice_of_a_deprecated_flag_does_not_corrupt_the_output() -> None:
    outcome = run_cli("docker", "run", "--dry-run", "--concurrency", "2", "ubuntu")
    assert yaml.safe_load(outcome.stdout)["Count"] == 2
    assert outcome.stderr == "Flag --concurrency has been deprecated, use --count\n"


def test_global_flags_stand_anywhere(server: ServedApi) -> None:
    port = str(server.port)
    for arguments in (
        ("--api-port", port, "agent", "alive"),
        ("agent", "--api-port", port, "alive"),
        ("agent", "alive", "--api-port", port),
        ("agent", "alive", "-c", f"API.Port={port}"),
        ("agent", "alive", "--api-host=0.0.0.0", f"--config=api.port={port}"),
    ):
        assert run_cli(*arguments).stdout == "Status: OK\n"


def test_config_wins_over_flags_and_those_over_the_environment(server: ServedApi) -> None:
    port = str(server.port)
    outcome = run_cli("agent", "alive", "--api-port", port, environment={"BACALHAU_API_PORT": "1"})
    assert outcome.code == 0
    outcome = run_cli("agent", "alive", "--api-port", "1", "-c", f"API.Port={port}")
    assert outcome.code == 0
    assert outcome.stderr == "--api-port has no effect: --config sets API.Port\n"


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["--help"], "  bacalhau [command]"),
        ([], "  bacalhau [command]"),
        (["job"], "  bacalhau job [command]"),
        (["help", "job"], "  bacalhau job [command]"),
        (["job", "list", "-h"], "  bacalhau job list [flags]"),
        (["help", "job", "list"], "  bacalhau job list [flags]"),
        (["docker", "run", "--help"], "  bacalhau docker run IMAGE [COMMAND] [ARG...] [flags]"),
    ],
)
def test_help(arguments: list[str], usage: str) -> None:
    outcome = run_cli(*arguments)
    assert outcome.code == 0
    assert outcome.stderr == ""
    assert outcome.lines[outcome.lines.index("Usage:") + 1] == usage


def test_every_command_can_be_asked_for_help() -> None:
    from bacalhau.cli.command import Group
    from bacalhau.cli.tree import ROOT

    for name, entry in ROOT.entries.items():
        if entry.hidden:
            continue
        names = entry.entries if isinstance(entry, Group) else [""]
        for inner in names:
            outcome = run_cli(*filter(None, [name, inner]), "--help")
            assert outcome.code == 0
            assert "Usage:" in outcome.stdout
            assert outcome.stdout.endswith("\n")


def test_job_history_shows_more_than_a_page_of_the_server(server: ServedApi) -> None:
    job = finished_job()
    events = finished_history(job) * 40
    server.run(store_job(server.api.store, job, [finished_execution(job)], events))
    outcome = server.cli("job", "history", job.id, "--output", "json")
    numbers = [item["SeqNum"] for item in json.loads(outcome.stdout)]
    assert numbers == list(range(1, 241))
    some = server.cli("job", "history", job.id, "--limit", "7", "--hide-header")
    assert len(some.lines) == 7
