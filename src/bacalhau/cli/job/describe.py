"""`bacalhau job describe` (spec cli.md 8.8)."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.output import plain_flags, print_value
from bacalhau.cli.values import BOOL

if TYPE_CHECKING:
    from bacalhau.cli.session import Session
    from bacalhau.client.api import Client
    from bacalhau.models.api import GetJobResponse, ListProvenanceResponse
    from bacalhau.models.provenance import ExecutionProvenance

_RESERVED = "bacalhau.org/"


def run(
    session: Session,
    *,
    arguments: tuple[str],
    output: str,
    pretty: bool,
    spec: bool,
    provenance: bool,
    json: bool,
) -> None:
    """Print a job with its history, executions and captured output."""
    output = output or ("json" if json else "")
    if spec:
        _print_specification(session, arguments[0], output or "yaml", pretty=pretty)
        return
    if provenance:
        records = _whole_provenance(session, arguments[0])
        print_value(session, records, output=output or "json", pretty=pretty)
        return
    with session.client() as client:
        answer = client.job(arguments[0], include=("executions", "history"))
        if output:
            print_value(session, answer, output=output, pretty=pretty)
            return
        told = _brief_provenance(client, answer)
    from bacalhau.cli.views.describe import Page
    from bacalhau.lib.clock import SystemClock

    page = Page(
        answer,
        provenance=told.items,
        now_ns=SystemClock().now_ns(),
        colour=session.has_colour(session.stdout),
        debug=session.is_debug,
    )
    session.write(page.render())
    if told.next_token:
        hint = f"bacalhau job describe --provenance {answer.job.id}"
        session.write(f"\nInputs and outputs of further executions:\n\t{hint}\n")


def _brief_provenance(client: Client, answer: GetJobResponse) -> ListProvenanceResponse:
    """Return the beginning of what executions have read and written; servers may not know."""
    from bacalhau.cli.views.provenance import SHOWN_EXECUTIONS, SHOWN_FILES
    from bacalhau.client.requests import Page
    from bacalhau.errors import NotFoundError, NotSupportedError
    from bacalhau.models.api import ListProvenanceResponse

    if answer.executions is not None and answer.executions.items:
        with suppress(NotFoundError, NotSupportedError):
            page = Page(limit=SHOWN_EXECUTIONS)
            return client.provenance(answer.job.id, page, files=SHOWN_FILES)
    return ListProvenanceResponse()


def _whole_provenance(session: Session, reference: str) -> list[ExecutionProvenance]:
    from bacalhau.client.requests import Page

    told: list[ExecutionProvenance] = []
    with session.client() as client:
        token = ""
        while True:
            answer = client.provenance(reference, Page(next_token=token))
            told += answer.items
            token = answer.next_token
            if not token:
                return told


def _print_specification(session: Session, reference: str, output: str, *, pretty: bool) -> None:
    from msgspec.structs import replace

    from bacalhau.cli.submission import specification

    with session.client() as client:
        job = client.job(reference).job
    ours = {key: text for key, text in job.meta.items() if not key.startswith(_RESERVED)}
    print_value(session, specification(replace(job, meta=ours)), output=output, pretty=pretty)


COMMAND = Command(
    "describe",
    run,
    flags=(
        *plain_flags(""),
        Flag("spec", BOOL, False, "Print the job as a file that `job run` takes."),
        Flag("provenance", BOOL, False, "Print what its executions have read and written."),
        Flag("json", BOOL, False, "As --output json.", deprecated="use --output json"),
        Flag(
            "include-events",
            BOOL,
            False,
            "An old flag.",
            keys=(),
            deprecated="events are always shown",
        ),
    ),
    arity=Arity("JOB", 1, 1),
    text="Show everything about a job. JOB is an id or the start of one.",
    example="""\
# Run a job once more
bacalhau job describe --spec j-51225160 | bacalhau job run""",
)
