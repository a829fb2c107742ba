"""Submitting a job and staying with it, while the server's side of the story is told by hand."""

from __future__ import annotations

import io
import re
import threading
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bacalhau.cli.grouping import GroupedProgress
from bacalhau.cli.session import Session
from bacalhau.cli.waiting import wait
from bacalhau.client import Client
from bacalhau.lifecycle.changes import HistoryDraft, JobChanges
from bacalhau.models import (
    Event,
    ExecutionID,
    HistoryType,
    JobHistory,
    JobID,
    JobState,
    State,
    Topic,
)
from bacalhau.ports import JobQuery
from tests.support.cli import Terminal
from tests.support.jobs import finished_execution, finished_history

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.models import Execution, Job
    from tests.support.cli import Outcome, ServedApi


def end_job(
    server: ServedApi, state: JobState, history: Sequence[HistoryDraft], has_run: bool
) -> None:
    """Wait for a job to be submitted, and end it."""

    async def story() -> bool:
        page = await server.api.store.list_jobs(JobQuery())
        if not page.jobs:
            return False
        job = page.jobs[0]
        await server.api.store.apply(_ending(job, state, history, has_run))
        return True

    while not server.run(story()):
        pass


def _ending(
    job: Job, state: JobState, history: Sequence[HistoryDraft], has_run: bool
) -> JobChanges:
    ended = msgspec.structs.replace(
        job, state=State[JobState](state_type=state), revision=job.revision + 1
    )
    run: Execution = msgspec.structs.replace(finished_execution(job), revision=1)
    return JobChanges(
        job_id=job.id,
        job=ended,
        executions=(run,) if has_run else (),
        history=tuple(history or finished_history(job)[1:]),
    )


def run(
    server: ServedApi,
    *arguments: str,
    state: JobState = JobState.COMPLETED,
    history: Sequence[HistoryDraft] = (),
    has_run: bool = True,
    **options: Any,
) -> Outcome:
    """Run a command that submits a job, and end the job meanwhile."""
    thread = threading.Thread(target=end_job, args=(server, state, history, has_run), name="story")
    thread.start()
    outcome = server.cli(*arguments, **options)
    thread.join(timeout=30)
    return outcome


def test_progress_and_hints(server: ServedApi) -> None:
    outcome = run(server, "docker", "run", "-p", "local", "ubuntu", "echo", "hello")
    assert outcome.code == 0
    assert outcome.stderr == ""
    submitted, job_id = outcome.lines[0].split("Job ID: ")
    assert submitted == "Job successfully submitted. "
    short = "e" + job_id[1:10]
    assert outcome.lines[1:3] == ["Checking job status... (Ctrl+C leaves the job running)", ""]
    assert [re.sub(r"\d\d:\d\d:\d\d\.\d{3}", "<time>", line) for line in outcome.lines[3:8]] == [
        " TIME          EXEC. ID    TOPIC            EVENT",
        " <time>              Submission       Job submitted",
        f" <time>  {short}  Scheduling       Requested execution on n-5ac1b2d3",
        f" <time>  {short}  Execution        Running",
        f" <time>  {short}  Execution        Completed successfully",
    ]
    assert [line for line in outcome.lines[8:] if line.startswith("\t")] == [
        f"\tbacalhau job describe {job_id}",
        f"\tbacalhau job executions {job_id}",
        f"\tbacalhau job get {job_id}",
    ]


def test_without_a_publisher_there_is_nothing_to_get(server: ServedApi) -> None:
    outcome = run(server, "docker", "run", "ubuntu")
    assert "job executions" in outcome.stdout
    assert "job get" not in outcome.stdout


def test_id_only_waits_silently(server: ServedApi) -> None:
    outcome = run(server, "docker", "run", "--id-only", "ubuntu")
    assert re.fullmatch(r"j-[0-9a-f-]{36}\n", outcome.stdout)
    described = server.cli("job", "describe", outcome.stdout.strip())
    assert "State         = Completed" in described.lines


def failing_history() -> list[HistoryDraft]:
    """Return an error of an execution, and with it the job's."""
    event = Event(
        message="no such image",
        topic=Topic.EXECUTION,
        timestamp="2024-10-09T12:01:02Z",
        details={
            "IsError": "true",
            "Hint": "check its name",
            "ErrorCode": "Docker:ImageNotFound",
            "Image": "ubuntu",
        },
    )
    ids = (ExecutionID("e-00000001"), ExecutionID(""))
    return [HistoryDraft(event=event, time_ns=1, execution_id=identifier) for identifier in ids]


FAILED: dict[str, Any] = {"state": JobState.FAILED, "history": failing_history()}
REASON = "\nError: job failed: no such image\nHint:  check its name\n"


def test_a_failed_job_is_a_failure_of_the_command_and_its_reason_is_told_once(
    server: ServedApi,
) -> None:
    outcome = run(server, "docker", "run", "ubuntu", **FAILED)
    assert (outcome.code, outcome.stderr) == (1, REASON)
    assert "no such image" not in outcome.stdout
    assert "job describe" in outcome.stdout


@pytest.mark.parametrize("flags", [("--id-only",), ("--follow",), ("--group-events",)])
def test_every_way_of_waiting_tells_a_failure(server: ServedApi, flags: tuple[str, ...]) -> None:
    outcome = run(server, "docker", "run", *flags, "ubuntu", **FAILED)
    assert (outcome.code, outcome.stderr) == (1, REASON)


def test_debugging_shows_the_code_of_a_failure(server: ServedApi) -> None:
    outcome = run(server, "docker", "run", "ubuntu", **FAILED, environment={"DEBUG": "true"})
    assert "code: ImageNotFound\ncomponent: Docker\n" in outcome.stderr
    assert "Image: ubuntu\n" in outcome.stderr


@pytest.mark.parametrize(("value", "code"), [("false", 0), ("0", 0), ("1", 1), ("true", 1)])
def test_scripts_choose_whether_a_failed_job_is_a_failure(
    server: ServedApi, value: str, code: int
) -> None:
    environment = {"BACALHAU_EXIT_ON_FAILURE": value}
    outcome = run(server, "docker", "run", "ubuntu", **FAILED, environment=environment)
    assert (outcome.code, outcome.stderr) == (code, REASON)


def test_stopped_and_completed_jobs_are_quiet(server: ServedApi) -> None:
    outcome = run(server, "docker", "run", "ubuntu", state=JobState.STOPPED)
    assert (outcome.code, outcome.stderr) == (0, "")


def test_node_details(server: ServedApi) -> None:
    outcome = run(server, "docker", "run", "--node-details", "ubuntu")
    assert "Job Results By Node:" in outcome.lines
    assert outcome.stderr == "• Node n-5ac1b2d3: hello\n"


def test_follow_shows_the_output_and_nothing_else(server: ServedApi) -> None:
    outcome = run(server, "docker", "run", "-f", "ubuntu")
    assert outcome.lines[1:3] == ["Waiting for logs... (Ctrl+C leaves the job running)", ""]
    assert outcome.lines[3:] == ["hello", "oops"]


def test_following_a_job_that_is_stopped_before_it_runs_ends_quietly(server: ServedApi) -> None:
    """It has no output, as it should."""
    outcome = run(
        server, "docker", "run", "-f", "--id-only", "ubuntu", state=JobState.STOPPED, has_run=False
    )
    assert (outcome.code, outcome.stderr) == (0, "")


def test_waiting_ends_when_the_time_is_up(server: ServedApi) -> None:
    outcome = server.cli("docker", "run", "--wait-timeout-secs", "1", "ubuntu")
    assert outcome.code == 0
    assert outcome.stderr == (
        "\nWarning: stopped watching after 1 seconds; the job is still running\n"
    )
    assert "job describe" in outcome.stdout


def test_a_job_that_has_ended_by_then_is_not_told_to_be_running(server: ServedApi) -> None:
    """The time may be up just when the last events arrive."""
    job_id = run(server, "docker", "run", "--id-only", "ubuntu").stdout.strip()
    told = io.StringIO()
    session = Session("bacalhau", environment={}, stdout=io.StringIO(), stderr=told)
    with Client(port=server.port) as client:
        wait(session, client, job_id, timeout_seconds=0.0, long_running=False, quiet=False)
    assert told.getvalue() == ""


@pytest.mark.parametrize("terminal", [True, False])
def test_the_fish_swims_on_terminals_only(server: ServedApi, terminal: bool) -> None:
    outcome = run(server, "docker", "run", "ubuntu", terminal=terminal)
    assert ("🐟" in outcome.stdout) is terminal
    hidden, shown = (outcome.stdout.rfind(code) for code in ("\x1b[?25l", "\x1b[?25h"))
    assert shown > hidden if terminal else shown == hidden == -1


def test_the_fish_needs_room(server: ServedApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a narrow terminal each frame would be a new line."""
    monkeypatch.setenv("COLUMNS", "30")
    outcome = run(server, "docker", "run", "ubuntu", terminal=True)
    assert "🐟" not in outcome.stdout
    assert "Completed successfully" in outcome.stdout


def grouped_history() -> list[HistoryDraft]:
    """Return what happened to two executions."""
    story = [
        ("Requested execution on n-1", "e-00000001"),
        ("Requested execution on n-2", "e-00000002"),
        ("Running", "e-00000001"),
        ("Completed successfully", "e-00000001"),
        ("Running", "e-00000002"),
    ]
    return [
        HistoryDraft(
            event=Event(message=text, topic=Topic.EXECUTION, timestamp="2024-10-09T12:01:02Z"),
            time_ns=1,
            execution_id=ExecutionID(execution_id),
        )
        for text, execution_id in story
    ]


GROUPED = [
    r" TIME +EXEC\. ID +TOPIC +EVENT",
    r" [0-9:.]{12} +Submission +Job submitted",
    r" 12:01:02\.000  e-00000001  Execution +Completed successfully",
    r" 12:01:02\.000  e-00000002  Execution +Running",
]


def test_group_events_prints_the_last_of_each_execution(server: ServedApi) -> None:
    outcome = run(server, "docker", "run", "--group-events", "ubuntu", history=grouped_history())
    assert outcome.code == 0
    table = outcome.lines[3:7]
    assert all(re.fullmatch(p, line) for p, line in zip(GROUPED, table, strict=True)), table
    assert outcome.lines[7] == ""


def test_group_events_draws_in_place_on_a_terminal(server: ServedApi) -> None:
    command = ("docker", "run", "--group-events", "ubuntu")
    outcome = run(server, *command, history=grouped_history(), terminal=True)
    assert re.search(r"\x1b\[\d+A\x1b\[J TIME ", outcome.stdout)
    last = outcome.stdout.rpartition("\x1b[J")[2].splitlines()
    table = [line.rstrip() for line in last[:4]]
    assert all(re.fullmatch(p, line) for p, line in zip(GROUPED, table, strict=True)), table


def test_group_events_finds_its_table_on_a_terminal_that_has_become_narrower(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    screen = Terminal()
    progress = GroupedProgress(Session("bacalhau", environment={}, stdout=screen), quiet=False)
    for columns in (200, 30):
        monkeypatch.setenv("COLUMNS", str(columns))
        progress.show(
            [
                JobHistory(
                    seq_num=columns,
                    type=HistoryType.EXECUTION_LEVEL,
                    job_id=JobID("j-1"),
                    execution_id=ExecutionID("e-1"),
                    event=each.event,
                    time=each.event.timestamp,
                )
                for each in grouped_history()[:1]
            ]
        )
    assert "\x1b[6A\x1b[J" in screen.getvalue(), "two lines, each of which takes three now"


def test_group_events_with_the_id_only_is_quiet(server: ServedApi) -> None:
    outcome = run(server, "docker", "run", "--group-events", "--id-only", "ubuntu")
    assert re.fullmatch(r"j-[0-9a-f-]{36}\n", outcome.stdout)
