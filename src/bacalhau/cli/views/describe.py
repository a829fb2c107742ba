"""Everything about a job on one page (spec cli.md 8.8, `job describe`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.table import Column, Fit, TableStyle, render_table
from bacalhau.cli.views.events import event_columns, is_error, split_by_execution
from bacalhau.cli.views.jobs import PARTITION_COLUMN
from bacalhau.cli.views.provenance import input_lines, output_lines
from bacalhau.cli.views.times import age, date_and_time
from bacalhau.cli.visible import visible
from bacalhau.models.ids import short_id
from bacalhau.models.states import ComputeState, JobState, JobType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.models.api import GetJobResponse
    from bacalhau.models.execution import Execution
    from bacalhau.models.history import JobHistory
    from bacalhau.models.job import Job
    from bacalhau.models.provenance import ExecutionProvenance

_BOLD, _BOLD_RED = "1", "1;31"
_KEY_WIDTH = 13
_INDENT = " " * (_KEY_WIDTH + 3)
_PLAIN = TableStyle()


class Page:
    """Renders one answer of the server; ``now_ns`` is what ages count from.

    ``provenance`` is what executions have read and written, where the server tells it.
    """

    def __init__(
        self,
        answer: GetJobResponse,
        *,
        provenance: Sequence[ExecutionProvenance] = (),
        now_ns: int,
        colour: bool,
        debug: bool,
    ) -> None:
        self._job = answer.job
        runs = answer.executions.items if answer.executions else []
        self._executions = sorted(runs, key=lambda run: run.create_time, reverse=True)
        history = answer.history.items if answer.history else []
        self._events = split_by_execution(history)
        self._provenance = {told.execution_id: told for told in provenance}
        self._now_ns = now_ns
        self._colour = colour
        self._event_columns = event_columns(colour=colour, debug=debug)

    def render(self) -> str:
        """Return the page; sections are separated by a blank line."""
        sections = [self._header(), self._summary(), self._job_history()]
        sections.append(self._execution_table())
        for run in self._executions:
            sections += [self._execution_history(run), self._inputs(run), self._outputs(run)]
        sections.append(self._output())
        return "\n".join(section for section in sections if section)

    def _header(self) -> str:
        errors = [item.event for item in self._events.get("", []) if is_error(item.event)]
        has_failed = self._job.state.state_type is JobState.FAILED
        hint = errors[-1].details.get("Hint", "") if errors and has_failed else ""
        return header(self._job, hint=hint, colour=self._colour)

    def _heading(self, text: str) -> str:
        return f"\x1b[{_BOLD}m{text}\x1b[0m\n" if self._colour else f"{text}\n"

    def _summary(self) -> str:
        states = [run.compute_state.state_type for run in self._executions]
        lines = [(s.title, str(states.count(s))) for s in ComputeState if s in states]
        return self._heading("Summary") + key_values(lines) if lines else ""

    def _job_history(self) -> str:
        return self._history("Job History", self._events.get("", []))

    def _execution_history(self, run: Execution) -> str:
        return self._history(f"Execution {short_id(run.id)} History", self._events.get(run.id, []))

    def _inputs(self, run: Execution) -> str:
        told = self._provenance.get(run.id)
        if told is None or not told.inputs:
            return ""
        title = self._heading(f"Execution {short_id(run.id)} Inputs")
        return title + "".join(map(input_lines, told.inputs))

    def _outputs(self, run: Execution) -> str:
        told = self._provenance.get(run.id)
        if told is None or told.outputs is None:
            return ""
        title = self._heading(f"Execution {short_id(run.id)} Outputs")
        return title + output_lines(told.outputs, run.published_result)

    def _history(self, title: str, events: Sequence[JobHistory]) -> str:
        if not events:
            return ""
        return self._heading(title) + render_table(self._event_columns, events, _PLAIN)

    def _execution_table(self) -> str:
        if not self._executions:
            return ""
        columns: list[Column[Execution]] = [
            Column("ID", lambda run: short_id(run.id), 10),
            Column("Node ID", lambda run: short_id(run.node_id), 10),
            Column("State", lambda run: run.compute_state.state_type.title, 17),
            Column("Desired", lambda run: run.desired_state.state_type.title, 10),
            Column("Rev.", lambda run: str(run.revision), 4),
            *([PARTITION_COLUMN] if self._job.count > 1 else []),
            Column("Created", lambda run: age(run.create_time, self._now_ns), 10),
            Column("Modified", lambda run: age(run.modify_time, self._now_ns), 10),
            Column("Comment", comment, 40, Fit.SOFT_KEEP),
        ]
        return self._heading("Executions") + render_table(columns, self._executions, _PLAIN)

    def _output(self) -> str:
        printed = [
            run for run in self._executions if run.run_output.stdout or run.run_output.stderr
        ]
        if not printed:
            return ""
        parts = []
        for run in printed:
            title = f"Execution {short_id(run.id)}:\n" if len(self._executions) > 1 else ""
            parts.append(title + captured_output(run))
        return self._heading("Standard Output") + "\n".join(parts)


def header(job: Job, *, hint: str, colour: bool) -> str:
    """Return the first lines of the page; empty values are left out.

    ``hint`` is what to do about the reason for which the job has failed.
    """
    has_failed = job.state.state_type is JobState.FAILED
    red = {"State", "Message"} if has_failed and colour else set()
    ends = job.type in (JobType.BATCH, JobType.SERVICE)
    pairs = [
        ("ID", job.id),
        ("Name", job.name),
        ("Namespace", job.namespace),
        ("Type", job.type),
        ("State", job.state.state_type),
        ("Message", job.state.message),
        ("Hint", hint),
        ("Count", str(job.count) if ends else ""),
        ("Created Time", date_and_time(job.create_time)),
        ("Modified Time", date_and_time(job.modify_time)),
        ("Version", str(job.version)),
    ]
    return "".join(
        f"{name:<{_KEY_WIDTH}} = {_block(value, is_red=name in red)}\n"
        for name, value in pairs
        if value
    )


def _block(text: str, *, is_red: bool) -> str:
    """Return a value of the header; further lines of it stand below the first."""
    lines = visible(text).split("\n")
    if is_red:
        lines = [f"\x1b[{_BOLD_RED}m{line}\x1b[0m" for line in lines]
    return f"\n{_INDENT}".join(lines)


def comment(run: Execution) -> str:
    """Return what is worth knowing of an execution: its exit code unless 0, and its reason."""
    code = run.run_output.exit_code
    parts = [f"exit code {code}" if code > 0 else "", run.compute_state.message]
    return ": ".join(part for part in parts if part)


def key_values(pairs: Sequence[tuple[str, str]]) -> str:
    """Return ``key = value`` lines, aligned."""
    width = max(len(key) for key, _ in pairs)
    return "".join(f"{key:<{width}} = {value}\n" for key, value in pairs)


def captured_output(run: Execution) -> str:
    """Return what was kept of a task's output: stdout, then stderr, and whether it was cut."""
    output = run.run_output
    parts = []
    for text, truncated in (
        (output.stdout, output.stdout_truncated),
        (output.stderr, output.stderr_truncated),
    ):
        if text:
            mark = "\n... (output was cut; see the logs or the results for all of it)"
            parts.append(visible(text.rstrip("\r\n")) + (mark if truncated else "") + "\n")
    return "\n".join(parts)
