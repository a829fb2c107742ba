"""Snapshots of large jobs, kept from one decision to the next.

A job that runs on a thousand nodes has a thousand executions that go on, and each answer about one
of them asks for a decision on all. To read and decode them every time would take far longer than to
decide. What is kept counts only at the generation that the file has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bacalhau.lifecycle.changes import JobChanges, JobSnapshot
    from bacalhau.models import JobID

LARGE = 16
"""Executions from which on a snapshot is worth keeping."""

_JOBS_KEPT = 32
_EXECUTIONS_KEPT = 20_000


class RecentSnapshots:
    """A bounded number of snapshots; what has not changed for longest goes first."""

    def __init__(self, large: int = LARGE) -> None:
        self._large = large
        self._kept: dict[JobID, JobSnapshot] = {}
        self._executions = 0

    def find(self, job_id: JobID) -> JobSnapshot | None:
        """Return what is kept of a job, whatever its generation."""
        return self._kept.get(job_id)

    def keep(self, snapshot: JobSnapshot) -> None:
        """Keep a snapshot in place of an earlier one, if that is worth it."""
        self._drop(snapshot.job.id)
        if snapshot.job.is_terminal or len(snapshot.executions) < self._large:
            return
        self._kept[snapshot.job.id] = snapshot
        self._executions += len(snapshot.executions)
        while len(self._kept) > _JOBS_KEPT or self._executions > _EXECUTIONS_KEPT:
            self._drop(next(iter(self._kept)))

    def advance(self, changes: JobChanges, generation: int) -> None:
        """Bring a snapshot up to date with a transaction that led to this generation."""
        kept = self._kept.get(changes.job_id)
        if kept is not None and kept.generation == generation - 1:
            after = kept.after(changes, generation)
            if after is not None:
                self.keep(after)

    def _drop(self, job_id: JobID) -> None:
        kept = self._kept.pop(job_id, None)
        if kept is not None:
            self._executions -= len(kept.executions)
