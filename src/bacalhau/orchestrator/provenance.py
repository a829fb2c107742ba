"""What the API tells of the inputs and outputs of executions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from bacalhau.errors import UserError
from bacalhau.models import ExecutionID
from bacalhau.orchestrator.references import find_execution

if TYPE_CHECKING:
    from bacalhau.models import JobID
    from bacalhau.models.provenance import ExecutionProvenance, InputRecord, OutputRecord
    from bacalhau.ports import JobStore

R = TypeVar("R", "InputRecord", "OutputRecord")

DEFAULT_PROVENANCE_LIMIT = 20
MAX_PROVENANCE_LIMIT = 100
"""Executions on a page: each may tell of a thousand files twice."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ProvenanceQuery:
    """Which executions of a job to tell of, and how many files of each of their lists.

    ``execution_id`` may be shortened; ``files`` 0 is all that are kept; ``limit`` 0 is
    ``DEFAULT_PROVENANCE_LIMIT``, and a page has ``MAX_PROVENANCE_LIMIT`` at most; ``token`` is the
    last execution of the page before.
    """

    execution_id: str = ""
    files: int = 0
    limit: int = 0
    token: str = ""


async def list_provenance(
    store: JobStore, job_id: JobID, query: ProvenanceQuery
) -> tuple[list[ExecutionProvenance], str]:
    """Return a page of what executions have read and written, and the token of the next one.

    Raises:
        UserError: the token is not of this job.
        NotFoundError: the job has no such execution.
    """
    if query.execution_id:
        whole = await store.whole(job_id)
        assert whole is not None, "jobs are never deleted"
        wanted = find_execution(whole.executions, query.execution_id)
        order = [execution.id for execution in whole.executions]
        before = order[order.index(wanted.id) - 1] if wanted.id != order[0] else None
        found = await store.provenance(job_id, after=before, limit=1)
        return [_cut(each, query.files) for each in found if each.execution_id == wanted.id], ""
    after = _position(store, job_id, query.token) if query.token else None
    limit = min(query.limit or DEFAULT_PROVENANCE_LIMIT, MAX_PROVENANCE_LIMIT)
    found = await store.provenance(job_id, after=after, limit=limit + 1)
    token = found[limit - 1].execution_id if len(found) > limit else ""
    return [_cut(each, query.files) for each in found[:limit]], token


def _position(store: JobStore, job_id: JobID, token: str) -> ExecutionID:
    execution = store.execution(ExecutionID(token))
    if execution is None or execution.job_id != job_id:
        raise UserError(
            f'next_token "{token}" is not one of this list',
            hint="use NextToken as it was returned, or leave it out to begin anew",
            component="JobStore",
            fields=["next_token"],
        )
    return execution.id


def _cut(told: ExecutionProvenance, files: int) -> ExecutionProvenance:
    """Leave out all but the first files of each list."""
    if not files:
        return told
    outputs = None if told.outputs is None else _first(told.outputs, files)
    return replace(told, inputs=[_first(each, files) for each in told.inputs], outputs=outputs)


def _first(record: R, files: int) -> R:
    return replace(record, files=record.files[:files])
