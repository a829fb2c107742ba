"""Finding what a user means by an id or the beginning of one (spec api.md 0.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bacalhau.errors import AmbiguousError, Code, NotFoundError, UserError
from bacalhau.models import JobID

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.models import Execution, Job, NodeState
    from bacalhau.ports import JobStore

_COMPONENT = "JobStore"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


def find_job(store: JobStore, reference: str) -> Job:
    """Return the job with this id, or the only one whose id begins like this.

    The leading ``j-`` may be left out.

    Raises:
        UserError: code ``BadRequest``: this can be no id.
        NotFoundError: there is no such job.
        AmbiguousError: code ``MultipleJobsFound``.
    """
    _check(reference, "a job")
    spellings = _spellings(reference, "j-")
    for spelling in spellings:
        job = store.job(JobID(spelling))
        if job is not None:
            return job
    found = {job_id for spelling in spellings for job_id in store.find_jobs(spelling, 2)}
    if len(found) > 1:
        raise AmbiguousError(
            f"multiple jobs found for id {reference}",
            code=Code.MULTIPLE_JOBS,
            hint="Use full job ID",
            component=_COMPONENT,
        )
    job = store.job(found.pop()) if found else None
    if job is None:
        raise NotFoundError(f"job not found: {reference}", component=_COMPONENT)
    return job


def find_execution(executions: Sequence[Execution], reference: str) -> Execution:
    """Return the execution of a job with this id, or the only one whose id begins like this.

    The leading ``e-`` may be left out.

    Raises:
        UserError: code ``BadRequest``: this can be no id.
        NotFoundError: the job has no such execution.
        AmbiguousError: code ``MultipleExecutionsFound``.
    """
    _check(reference, "an execution")
    spellings = _spellings(reference, "e-")
    exact = [item for item in executions if item.id in spellings]
    found = exact or [item for item in executions if item.id.startswith(spellings)]
    if not found:
        raise NotFoundError(f"execution not found: {reference}", component=_COMPONENT)
    if len(found) > 1:
        raise AmbiguousError(
            f"multiple executions found for id {reference}",
            code=Code.MULTIPLE_EXECUTIONS,
            hint="Use full execution ID",
            component=_COMPONENT,
        )
    return found[0]


def find_node(nodes: Sequence[NodeState], reference: str) -> NodeState:
    """Return the node with this id, or the only one whose id begins like this.

    The leading ``n-`` may be left out.

    Raises:
        NotFoundError: there is no such node.
        AmbiguousError: code ``MultipleNodesFound``.
    """
    spellings = _spellings(reference, "n-")
    exact = [node for node in nodes if node.info.node_id in spellings]
    found = exact or [node for node in nodes if node.info.node_id.startswith(spellings)]
    if not found:
        raise NotFoundError(f"node not found: {reference}", component="NodesManager")
    if len(found) > 1:
        raise AmbiguousError(
            f"multiple nodes found for id {reference}",
            code=Code.MULTIPLE_NODES,
            hint="Use full node ID",
            component="NodesManager",
        )
    return found[0]


def _spellings(reference: str, prefix: str) -> tuple[str, ...]:
    if reference.startswith(prefix):
        return (reference,)
    return (reference, prefix + reference)


def _check(reference: str, kind: str) -> None:
    if not _ID.fullmatch(reference):
        raise UserError(
            f"{reference!r} is not the id of {kind}",
            hint="an id has up to 128 letters, digits, dots, dashes and underscores, "
            "and starts with a letter or a digit",
            component="APIServer",
        )
