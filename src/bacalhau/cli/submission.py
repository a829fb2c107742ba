"""Submitting a job and staying with it (spec cli.md 10)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from bacalhau.cli.flag import Flag
from bacalhau.cli.values import BOOL, INT, not_negative
from bacalhau.errors import BacalhauError, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bacalhau.cli.session import Session
    from bacalhau.client import Client
    from bacalhau.models.api import PutJobResponse
    from bacalhau.models.job import Job

RUNTIME_FLAGS = (
    Flag("wait", BOOL, True, "Wait for the job to end; --wait=false prints its id alone."),
    Flag(
        "wait-timeout-secs",
        not_negative(INT),
        600,
        "Seconds to wait, with --follow from the end of the output; the job itself goes on.",
    ),
    Flag("id-only", BOOL, False, "Print the job's id and nothing else."),
    Flag("follow", BOOL, False, "Show the job's output instead of its progress.", short="f"),
    Flag("node-details", BOOL, False, "Show what each node printed, at the end."),
    Flag("dry-run", BOOL, False, "Print the job and do not submit it."),
    Flag("group-events", BOOL, False, "Show one line for each execution instead of each event."),
)
_RUNTIME_NAMES = frozenset(flag.long.replace("-", "_") for flag in RUNTIME_FLAGS)
_SYSTEM_FIELDS = ("CreateTime", "ID", "ModifyTime", "Revision", "State", "Version")


@dataclass(frozen=True, slots=True)
class Runtime:
    """What to do with a job beside submitting it: the values of ``RUNTIME_FLAGS``."""

    wait: bool
    wait_timeout_secs: int
    id_only: bool
    follow: bool
    node_details: bool
    dry_run: bool
    group_events: bool

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Runtime:
        """Take the runtime flags out of all flags of a command."""
        return cls(**{name: options[name] for name in _RUNTIME_NAMES})


def submit(
    session: Session, job: Job, warnings: Sequence[str], runtime: Runtime, *, warn: bool = True
) -> None:
    """Check a job, submit it and wait as long as the user wants.

    Raises:
        ValidationError: the job is invalid, with all problems.
        BacalhauError: the server refused it, or cannot be reached; or the job was waited for, and
            has failed.
    """
    job, more = checked(job)
    warnings = [*warnings, *more]
    if runtime.dry_run:
        _print_warnings(session, warnings, to_stdout=False)
        session.write(dry_run(job))
        return
    with session.client() as client:
        answer = _send(client, job)
        if warn:
            _print_warnings(
                session, [*warnings, *(answer.warnings or ())], to_stdout=not _is_bare(runtime)
            )
        if _is_bare(runtime):
            session.say(answer.job_id)
        if runtime.wait:
            _stay(session, client, answer.job_id, job, runtime)


def _send(client: Client, job: Job) -> PutJobResponse:
    try:
        return client.submit(job)
    except KeyboardInterrupt:
        raise UserError(
            "request cancelled",
            hint="the server may have the job all the same: "
            "`bacalhau job list --order-by created_at --order-reversed` shows the newest",
            component="CLI",
        ) from None


def checked(job: Job) -> tuple[Job, list[str]]:
    """Normalise a job and check it; return it with warnings about what was dropped.

    Raises:
        ValidationError: with all problems.
    """
    from bacalhau.models.submission import prepare
    from bacalhau.models.validate import raise_for, validate_submission

    try:
        raise_for(validate_submission(job))
    except UserError as exc:
        raise invalid(exc) from exc
    return prepare(job)


def invalid(error: UserError) -> UserError:
    """Return an error about a job with the words that scripts look for."""
    return type(error)(
        f"the job provided is invalid: {error.message}",
        code=error.code,
        hint=error.hint,
        component="CLI",
        fields=error.fields,
    )


def dry_run(job: Job) -> str:
    """Return a job as YAML, without what only the system sets, ready for `job run`."""
    from bacalhau.cli.yaml_text import dump_yaml

    return dump_yaml(specification(job))


def specification(job: Job) -> dict[str, Any]:
    """Return the fields of a job without what only the system sets."""
    import msgspec

    fields = msgspec.to_builtins(job)
    return {key: fields[key] for key in fields if key not in _SYSTEM_FIELDS}


def _is_bare(runtime: Runtime) -> bool:
    """Tell whether the id is the only thing that standard output may hold."""
    return runtime.id_only or not runtime.wait


def _print_warnings(session: Session, warnings: Sequence[str], *, to_stdout: bool) -> None:
    if not warnings:
        return
    tell = session.say if to_stdout else session.note
    tell("\n".join(["Warnings:", *(f"\t* {warning}" for warning in warnings)]))


def _stay(session: Session, client: Client, job_id: str, job: Job, runtime: Runtime) -> None:
    from bacalhau.cli.ending import conclude

    if runtime.follow:
        _follow(session, client, job_id, job, runtime)
        return
    if not runtime.id_only:
        session.say(f"Job successfully submitted. Job ID: {job_id}")
        session.say("Checking job status... (Ctrl+C leaves the job running)\n")
    final = job
    try:
        final = _watch(session, client, job_id, job, runtime)
        conclude(session, client, final)
    finally:
        if not runtime.id_only:
            _print_hints(session, job_id, final)


def _follow(session: Session, client: Client, job_id: str, job: Job, runtime: Runtime) -> None:
    """Show the output, and then wait: a job ends with its results, not with what it writes."""
    from bacalhau.cli import waiting
    from bacalhau.cli.ending import conclude

    try:
        if not waiting.follow(session, client, job_id, quiet=runtime.id_only):
            return
    except BacalhauError:
        # A job that failed before it had any output says more than the lack of output; one that
        # was stopped before it ran, or had nothing to run, has none.
        ended = client.job(job_id).job
        has_nothing = ended.is_terminal and not client.executions(job_id).items
        if not conclude(session, client, ended) and not has_nothing:
            raise
    else:
        silent = replace(runtime, id_only=True, node_details=False, group_events=False)
        conclude(session, client, _watch(session, client, job_id, job, silent))


def _watch(session: Session, client: Client, job_id: str, job: Job, runtime: Runtime) -> Job:
    """Wait for a job to end; return it as far as it is known then."""
    from bacalhau.cli import waiting

    try:
        waiting.wait(
            session,
            client,
            job_id,
            timeout_seconds=runtime.wait_timeout_secs,
            long_running=job.type.is_long_running,
            quiet=runtime.id_only,
            grouped=runtime.group_events,
        )
        if runtime.node_details:
            _print_node_details(session, client, job_id)
        return client.job(job_id).job
    except KeyboardInterrupt:
        session.warn("Warning", "no longer watching; the job is still running")
        return job


def _print_node_details(session: Session, client: Client, job_id: str) -> None:
    from bacalhau.cli.views.details import node_details

    session.say("\nJob Results By Node:")
    for line in node_details(client.executions(job_id).items):
        session.note(line)


def _print_hints(session: Session, job_id: str, job: Job) -> None:
    hints = [
        ("To get more details about the run, execute:", "describe"),
        ("To get more details about the run executions, execute:", "executions"),
    ]
    if job.tasks and job.task.publisher.type:
        hints.append(("To download the results, execute:", "get"))
    for intro, command in hints:
        session.say(f"\n{intro}\n\t{session.program} job {command} {job_id}")
