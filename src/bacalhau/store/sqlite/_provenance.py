"""What executions have read and written; apart from their records, which are read all the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.models.ids import ExecutionID, NodeID
from bacalhau.models.provenance import ExecutionProvenance, InputRecord, OutputRecord
from bacalhau.store.sqlite._records import encode

if TYPE_CHECKING:
    import sqlite3

    from bacalhau.lifecycle.changes import ProvenanceDraft
    from bacalhau.models import JobID

TABLE = (
    "CREATE TABLE provenance (execution_id TEXT PRIMARY KEY, inputs BLOB, outputs BLOB) STRICT",
)

_PUT = (
    "INSERT INTO provenance VALUES (?, ?, ?) ON CONFLICT (execution_id) DO UPDATE SET"
    " inputs = coalesce(excluded.inputs, inputs), outputs = coalesce(excluded.outputs, outputs)"
)
_PAGE = (
    "SELECT e.id, e.node_id, p.inputs, p.outputs"
    " FROM executions e JOIN provenance p ON p.execution_id = e.id"
    " WHERE e.job_id = ? AND e.seq > coalesce((SELECT seq FROM executions WHERE id = ?), 0)"
    " ORDER BY e.seq LIMIT ?"
)

_decode_inputs = msgspec.json.Decoder(list[InputRecord]).decode
_decode_outputs = msgspec.json.Decoder(OutputRecord).decode


def put(connection: sqlite3.Connection, draft: ProvenanceDraft) -> None:
    """Store what a draft tells; what it does not tell stays."""
    told = (draft.inputs, draft.outputs)
    documents = [None if part is None else encode(part) for part in told]
    connection.execute(_PUT, (draft.execution_id, *documents))


def page(
    connection: sqlite3.Connection, job_id: JobID, after: ExecutionID | None, limit: int
) -> list[ExecutionProvenance]:
    """Return what is known of executions of a job, oldest first; ``limit`` 0 means all."""
    return [
        ExecutionProvenance(
            execution_id=ExecutionID(execution_id),
            node_id=NodeID(node_id),
            inputs=[] if inputs is None else _decode_inputs(inputs),
            outputs=None if outputs is None else _decode_outputs(outputs),
        )
        for execution_id, node_id, inputs, outputs in connection.execute(
            _PAGE, (job_id, after, limit or -1)
        )
    ]
