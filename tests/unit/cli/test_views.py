"""What commands show of the model, against the shapes of the original."""

from __future__ import annotations

import pytest

from bacalhau.cli.table import TableStyle, render_csv, render_table
from bacalhau.cli.views.describe import Page, comment
from bacalhau.cli.views.details import node_details
from bacalhau.cli.views.events import (
    ProgressFilter,
    event_text,
    history_columns,
    progress_columns,
)
from bacalhau.cli.views.jobs import JOB_COLUMNS, execution_columns
from bacalhau.cli.views.nodes import binary_size, node_columns
from bacalhau.cli.views.times import age, clock_time, month_and_time
from bacalhau.models import (
    ComputeNodeInfo,
    ComputeState,
    Connection,
    DesiredState,
    Event,
    Execution,
    ExecutionID,
    HistoryType,
    Job,
    JobHistory,
    JobID,
    JobState,
    JobType,
    Membership,
    NodeID,
    NodeInfo,
    NodeState,
    NodeType,
    Resources,
    RunOutput,
    SpecConfig,
    State,
    Task,
    Topic,
)
from bacalhau.models.api import GetJobResponse, ListExecutionsResponse, ListHistoryResponse

JOB_ID = JobID("j-2b1e6c1a-0d0e-4a53-9a55-1f3a7b8c9d0e")
RUN_ID = ExecutionID("e-1c2d3e4f-0d0e-4a53-9a55-1f3a7b8c9d0e")
NODE_ID = NodeID("n-5ac1b2d3-0d0e-4a53-9a55-1f3a7b8c9d0e")
SECOND = 1_000_000_000
CREATED = 1_728_475_262 * SECOND  # 2024-10-09 12:01:02
ENDED = CREATED + 7 * SECOND
PLAIN = TableStyle()


def job(**changes: object) -> Job:
    fields: dict[str, object] = {
        "id": JOB_ID,
        "name": "hello",
        "namespace": "default",
        "type": JobType.BATCH,
        "count": 1,
        "tasks": [Task(name="main", engine=SpecConfig(type="docker"))],
        "state": State[JobState](state_type=JobState.COMPLETED),
        "create_time": CREATED,
        "modify_time": ENDED,
    }
    return Job(**(fields | changes))  # type: ignore[arg-type]


def execution(run_id: ExecutionID = RUN_ID, **changes: object) -> Execution:
    fields: dict[str, object] = {
        "id": run_id,
        "node_id": NODE_ID,
        "job_id": JOB_ID,
        "desired_state": State[DesiredState](state_type=DesiredState.STOPPED),
        "compute_state": State[ComputeState](state_type=ComputeState.COMPLETED),
        "run_output": RunOutput(stdout="hello\n", stderr="oops\n"),
        "revision": 4,
        "create_time": CREATED,
        "modify_time": ENDED,
    }
    return Execution(**(fields | changes))  # type: ignore[arg-type]


def event(message: str, topic: Topic, second: int, **details: str) -> JobHistory:
    of_execution = topic not in (Topic.SUBMISSION, Topic.STATE_UPDATE, Topic.QUEUEING)
    time = f"2024-10-09T12:01:{second:02}.5Z"
    return JobHistory(
        seq_num=second,
        type=HistoryType.EXECUTION_LEVEL if of_execution else HistoryType.JOB_LEVEL,
        job_id=JOB_ID,
        execution_id=RUN_ID if of_execution else ExecutionID(""),
        event=Event(message=message, topic=topic, timestamp=time, details=details),
        time=time,
    )


EVENTS = [
    event("Job submitted", Topic.SUBMISSION, 2),
    event("Requested execution on n-5ac1b2d3", Topic.SCHEDULING, 3),
    event("Running", Topic.STATE_UPDATE, 4),
    event("Running", Topic.EXECUTION, 5),
    event("Completed successfully", Topic.EXECUTION, 8),
    event("Completed", Topic.STATE_UPDATE, 9),
]


def test_job_list() -> None:
    assert render_table(JOB_COLUMNS, [job()], PLAIN) == (
        " CREATED   ID          JOB     TYPE   STATE     \n"
        " 12:01:02  j-2b1e6c1a  docker  batch  Completed \n"
    )
    wide = render_table(JOB_COLUMNS, [job()], TableStyle(wide=True))
    assert f" 2024-10-09 12:01:02  {JOB_ID}  docker  batch  Completed \n" in wide
    assert render_csv(JOB_COLUMNS, [job()]) == (
        f"created,id,job,type,state\n2024-10-09 12:01:02,{JOB_ID},docker,batch,Completed\n"
    )


def test_execution_list() -> None:
    assert render_table(execution_columns([execution()]), [execution()], PLAIN) == (
        " CREATED   MODIFIED  ID          NODE ID     REV.  STATE      DESIRED \n"
        " 12:01:02  12:01:09  e-1c2d3e4f  n-5ac1b2d3  4     Completed  Stopped \n"
    )


def test_partitions_are_listed_where_there_are_several() -> None:
    runs = [execution(), execution(partition_index=1)]
    assert render_table(execution_columns(runs), runs, PLAIN) == (
        " CREATED   MODIFIED  ID          NODE ID     REV.  STATE      DESIRED  PART. \n"
        " 12:01:02  12:01:09  e-1c2d3e4f  n-5ac1b2d3  4     Completed  Stopped  0     \n"
        " 12:01:02  12:01:09  e-1c2d3e4f  n-5ac1b2d3  4     Completed  Stopped  1     \n"
    )


def test_history() -> None:
    table = render_table(history_columns(colour=False, debug=False), EVENTS[:2], PLAIN)
    assert table == (
        " TIME                 LEVEL           EXEC. ID    TOPIC       EVENT                "
        "             \n"
        " Oct  9 12:01:02.500  JobLevel                    Submission  Job submitted        "
        "             \n"
        " Oct  9 12:01:03.500  ExecutionLevel  e-1c2d3e4f  Scheduling  Requested execution o"
        "n n-5ac1b2d3 \n"
    )


def test_describe() -> None:
    answer = GetJobResponse(
        job=job(),
        executions=ListExecutionsResponse(items=[execution()]),
        history=ListHistoryResponse(items=EVENTS),
    )
    page = Page(answer, now_ns=ENDED + 73 * SECOND, colour=False, debug=False)
    lines = [line.rstrip() for line in page.render().split("\n")]
    assert lines == [
        f"ID            = {JOB_ID}",
        "Name          = hello",
        "Namespace     = default",
        "Type          = batch",
        "State         = Completed",
        "Count         = 1",
        "Created Time  = 2024-10-09 12:01:02",
        "Modified Time = 2024-10-09 12:01:09",
        "Version       = 0",
        "",
        "Summary",
        "Completed = 1",
        "",
        "Job History",
        " TIME                 TOPIC         EVENT",
        " 2024-10-09 12:01:02  Submission    Job submitted",
        " 2024-10-09 12:01:04  State Update  Running",
        " 2024-10-09 12:01:09  State Update  Completed",
        "",
        "Executions",
        " ID          NODE ID     STATE      DESIRED  REV.  CREATED    MODIFIED   COMMENT",
        " e-1c2d3e4f  n-5ac1b2d3  Completed  Stopped  4     1m20s ago  1m13s ago",
        "",
        "Execution e-1c2d3e4f History",
        " TIME                 TOPIC       EVENT",
        " 2024-10-09 12:01:03  Scheduling  Requested execution on n-5ac1b2d3",
        " 2024-10-09 12:01:05  Execution   Running",
        " 2024-10-09 12:01:08  Execution   Completed successfully",
        "",
        "Standard Output",
        "hello",
        "",
        "oops",
        "",
    ]


def test_describe_of_a_job_that_has_just_begun() -> None:
    page = Page(GetJobResponse(job=job(type=JobType.OPS)), now_ns=ENDED, colour=False, debug=False)
    text = page.render()
    assert text.endswith("Version       = 0\n")
    assert "Count" not in text


def test_describe_names_the_execution_of_each_output() -> None:
    other = ExecutionID("e-2c2d3e4f-0d0e-4a53-9a55-1f3a7b8c9d0e")
    runs = [
        execution(),
        execution(
            other, create_time=ENDED, run_output=RunOutput(stdout="cut", stdout_truncated=True)
        ),
    ]
    answer = GetJobResponse(job=job(), executions=ListExecutionsResponse(items=runs))
    text = Page(answer, now_ns=ENDED, colour=True, debug=False).render()
    tail = text[text.index("\x1b[1mStandard Output\x1b[0m\n") :].split("\n")
    assert tail[1:3] == ["Execution e-2c2d3e4f:", "cut"]
    assert "cut; see the logs" in tail[3]
    assert tail[4:7] == ["", "Execution e-1c2d3e4f:", "hello"]


@pytest.mark.parametrize(("count", "told"), [(1, False), (2, True)])
def test_a_divided_job_is_described_with_its_partitions(count: int, told: bool) -> None:
    runs = ListExecutionsResponse(items=[execution()])
    answer = GetJobResponse(job=job(count=count), executions=runs)
    text = Page(answer, now_ns=ENDED, colour=False, debug=False).render()
    assert (" REV.  PART.  CREATED" in text) is told


def test_summary_counts_cancelled_executions_too() -> None:
    runs = [
        execution(compute_state=State[ComputeState](state_type=state))
        for state in (ComputeState.CANCELLED, ComputeState.FAILED, ComputeState.CANCELLED)
    ]
    answer = GetJobResponse(job=job(), executions=ListExecutionsResponse(items=runs))
    text = Page(answer, now_ns=ENDED, colour=False, debug=False).render()
    assert "Summary\nFailed    = 1\nCancelled = 2\n" in text


def test_a_failed_job_says_why_and_what_to_do_at_the_top() -> None:
    reason = "not enough nodes to run job.\n• Node n-1: too small"
    failed = job(state=State[JobState](state_type=JobState.FAILED, message=reason))
    why = event(reason, Topic.STATE_UPDATE, 9, IsError="true", Hint="ask for less")
    answer = GetJobResponse(job=failed, history=ListHistoryResponse(items=[why]))
    text = Page(answer, now_ns=ENDED, colour=False, debug=False).render()
    assert (
        "State         = Failed\n"
        "Message       = not enough nodes to run job.\n"
        "                • Node n-1: too small\n"
        "Hint          = ask for less\n"
    ) in text
    coloured = Page(answer, now_ns=ENDED, colour=True, debug=False).render()
    assert "State         = \x1b[1;31mFailed\x1b[0m\n" in coloured


@pytest.mark.parametrize(
    ("code", "message", "shown"),
    [
        (0, "", ""),
        (3, "", "exit code 3"),
        (137, "memory limit exceeded", "exit code 137: memory limit exceeded"),
        (-1, "no such image", "no such image"),
    ],
)
def test_the_comment_of_an_execution(code: int, message: str, shown: str) -> None:
    state = State[ComputeState](state_type=ComputeState.FAILED, message=message)
    run = execution(compute_state=state, run_output=RunOutput(exit_code=code))
    assert comment(run) == shown


def test_events_tell_errors_hints_and_details() -> None:
    item = event("no such image", Topic.EXECUTION, 1, IsError="true", Hint="pull it", Code="X")
    assert event_text(item.event) == "Error: no such image\nHint: pull it"
    assert event_text(item.event, debug=True).endswith("\n* Code: X")
    assert event_text(item.event, colour=True).startswith("\x1b[1;31mError: \x1b[0mno such")


def test_progress_shows_the_first_event_and_those_of_executions() -> None:
    chosen = [item.event.message for item in ProgressFilter().choose(EVENTS)]
    assert chosen == [
        "Job submitted",
        "Requested execution on n-5ac1b2d3",
        "Running",
        "Completed successfully",
    ]


def test_progress_leaves_the_reason_of_a_failed_job_to_its_end() -> None:
    failed = event("exit", Topic.STATE_UPDATE, 9, IsError="true")
    same = event("exit", Topic.EXECUTION, 8, IsError="true")
    shown = ProgressFilter()
    assert list(shown.choose([EVENTS[0], failed])) == [EVENTS[0]]
    assert list(shown.choose([same])) == []
    assert list(shown.choose([failed])) == []
    assert list(shown.rest()) == []


def test_progress_shows_what_went_wrong_with_an_execution_once_more_happens() -> None:
    shown = ProgressFilter()
    trouble = event("no such image", Topic.EXECUTION, 8, IsError="true")
    refusal = event("too big", Topic.EXECUTION, 9, Hint="ask for less")
    again = event("Requested execution on n-2", Topic.EXECUTION, 10)
    failed = event("not enough nodes", Topic.STATE_UPDATE, 11, IsError="true")
    assert list(shown.choose([trouble])) == []
    assert list(shown.choose([refusal])) == [trouble]
    assert list(shown.choose([again])) == [refusal, again]
    assert list(shown.choose([trouble, failed])) == [trouble]


def test_progress_shows_what_is_held_back_when_nothing_else_comes() -> None:
    shown = ProgressFilter()
    trouble = event("no such image", Topic.EXECUTION, 8, IsError="true")
    assert list(shown.choose([trouble])) == []
    assert list(shown.rest()) == [trouble]
    assert list(shown.rest()) == []


def test_progress_rows_line_up_although_each_is_its_own_table() -> None:
    columns = progress_columns(colour=False, debug=False)
    first = render_table(columns, EVENTS[:1], PLAIN)
    second = render_table(columns, EVENTS[1:2], TableStyle(header=False))
    assert first == (
        " TIME          EXEC. ID    TOPIC            EVENT         \n"
        " 12:01:02.500              Submission       Job submitted \n"
    )
    assert second == (
        " 12:01:03.500  e-1c2d3e4f  Scheduling       Requested execution on n-5ac1b2d3 \n"
    )


def node(compute: ComputeNodeInfo | None) -> NodeState:
    return NodeState(
        info=NodeInfo(
            node_id=NODE_ID,
            node_type=NodeType.COMPUTE if compute else NodeType.REQUESTER,
            labels={"Operating-System": "linux", "Architecture": "amd64"},
            compute_node_info=compute,
        ),
        membership=Membership.APPROVED,
        connection=Connection.CONNECTED,
    )


def test_node_list() -> None:
    gib = 1024**3
    compute = ComputeNodeInfo(
        max_capacity=Resources(cpu=5.6, memory=16 * gib, disk=123 * gib),
        available_capacity=Resources(cpu=5.1, memory=8 * gib, disk=123 * gib),
    )
    columns = node_columns(["labels", "capacity", "nonsense"])
    table = render_table(columns, [node(compute), node(None)], PLAIN)
    lines = table.splitlines()
    assert [line[:88].rstrip() for line in lines] == [
        " ID          TYPE       APPROVAL  STATUS     LABELS",
        " n-5ac1b2d3  Compute    APPROVED  CONNECTED  Architecture=amd64 Operating-System=linux",
        "",
        " n-5ac1b2d3  Requester  APPROVED  CONNECTED  Architecture=amd64 Operating-System=linux",
    ]
    assert [line[88:].rstrip() for line in lines] == [
        "CPU    MEMORY    DISK        GPU",
        "5.1 /  8.0 GB /  123.0 GB /  0 /",
        "5.6    16.0 GB   123.0 GB    0",
        "",
    ]
    assert render_csv(columns, [node(compute)]) == (
        "id,type,approval,status,labels,cpu,memory,disk,gpu\n"
        "n-5ac1b2d3,Compute,APPROVED,CONNECTED,Architecture=amd64 Operating-System=linux,"
        "5.1 / 5.6,8.0 GB / 16.0 GB,123.0 GB / 123.0 GB,0 / 0\n"
    )


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0.0 B"), (2048, "2.0 KB"), (1024**4 * 3 // 2, "1.5 TB"), (1024**5, "1024.0 TB")],
)
def test_binary_sizes(size: int, text: str) -> None:
    assert binary_size(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s ago"),
        (-5, "0s ago"),
        (59, "59s ago"),
        (80, "1m20s ago"),
        (7200, "2h ago"),
        (7201, "2h ago"),
        (3 * 86400 + 4 * 3600 + 59, "3d4h ago"),
    ],
)
def test_ages_show_the_two_largest_units(seconds: int, text: str) -> None:
    assert age(CREATED, CREATED + seconds * SECOND) == text


def test_event_times_have_milliseconds_and_keep_their_zone() -> None:
    assert clock_time("2024-11-20T12:00:00.123456789Z") == "12:00:00.123"
    assert clock_time("2024-11-20T12:00:00+02:00") == "12:00:00.000"
    assert month_and_time("2024-11-20T12:00:00.1Z") == "Nov 20 12:00:00.100"


def test_node_details_join_equal_messages() -> None:
    failed = State[ComputeState](state_type=ComputeState.FAILED, message="no such image")
    runs = [
        execution(),
        execution(node_id=NodeID("n-2")),
        execution(run_output=RunOutput(stdout="out", stderr="bad\n", exit_code=3)),
        execution(run_output=RunOutput(), compute_state=failed),
        execution(run_output=RunOutput()),
    ]
    assert node_details(runs) == [
        "• 2 runs on 2 nodes: hello",
        "• Node n-5ac1b2d3: bad",
        "• Node n-5ac1b2d3: no such image",
    ]


def test_progress_tells_why_a_job_waits_and_once_for_each_reason() -> None:
    events = [
        event("Job submitted", Topic.SUBMISSION, 2),
        event("Job queued. not enough nodes", Topic.QUEUEING, 3),
        event("Job queued. not enough nodes", Topic.QUEUEING, 4),
        event("Job queued. node busy", Topic.QUEUEING, 5),
        event("Requested execution on n-5ac1b2d3", Topic.SCHEDULING, 6),
        event("Running", Topic.STATE_UPDATE, 7),
    ]
    progress = ProgressFilter()
    shown = [item.seq_num for each in events for item in progress.choose([each])]
    assert shown == [2, 3, 5, 6]


HOSTILE = "a\x00b\x1b]0;title\x07\x9b2J\rc\u202ed"
SHOWN = r"a\x00b\x1b]0;title\x07\x9b2J\x0dc\u202ed"


def unseen(text: str) -> set[str]:
    """Return the control characters of a text but newlines."""
    return {letter for letter in text if not letter.isprintable() and letter != "\n"}


def test_a_page_has_no_control_characters_of_others() -> None:
    """What a task printed, and names that somebody chose, cannot command the terminal."""
    output = RunOutput(stdout=f"{HOSTILE}\n\x09tab\r\n", stderr=HOSTILE)
    failed = State[ComputeState](state_type=ComputeState.FAILED, message=HOSTILE)
    page = Page(
        GetJobResponse(
            job=job(name=HOSTILE, state=State(state_type=JobState.FAILED, message=HOSTILE)),
            executions=ListExecutionsResponse(
                items=[execution(run_output=output, compute_state=failed)]
            ),
            history=ListHistoryResponse(
                items=[event(HOSTILE, Topic.SUBMISSION, 2, IsError="true", Hint=HOSTILE, x=HOSTILE)]
            ),
        ),
        now_ns=ENDED,
        colour=False,
        debug=True,
    ).render()
    assert unseen(page) == {"\t"}
    assert page.count(SHOWN) >= 7
    assert f"{SHOWN}\n\ttab\n" in page


def test_tables_have_no_control_characters_of_others() -> None:
    engine = SpecConfig(type=HOSTILE[:12])
    for style in (PLAIN, TableStyle(wide=True)):
        table = render_table(JOB_COLUMNS, [job(tasks=[Task(name="main", engine=engine)])], style)
        assert unseen(table) == set()
        assert SHOWN[:12] in table
    run = execution(run_output=RunOutput(stdout=HOSTILE))
    assert node_details([run]) == [f"• Node n-5ac1b2d3: {SHOWN}"]
