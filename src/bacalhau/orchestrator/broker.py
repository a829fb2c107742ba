"""Which job to look at next (spec orchestration.md 2.6).

The broker holds nothing that is not in the store: at start it is rebuilt from the open evaluations.
A job is looked at by one worker at a time; what asks for it meanwhile is answered by one more look.

Jobs that wait for capacity are kept by shape, that is, by what they ask of a node. Freed capacity
wakes the first job of each shape; when that one finds its place, the next of its shape follows.
So ten thousand equal jobs that wait cost one look, not ten thousand.
"""

from __future__ import annotations

import asyncio
import enum
import heapq
import itertools
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bacalhau.scheduling.plan import Claim

if TYPE_CHECKING:
    from bacalhau.models import Evaluation, JobID

_Key = tuple[int, int]


class _Standing(enum.Enum):
    """Where a job is: in the queue, with a worker, waiting for capacity, or set aside."""

    READY = "ready"
    CLAIMED = "claimed"
    BLOCKED = "blocked"
    PARKED = "parked"


@dataclass(slots=True)
class _Entry:
    """One job that somebody wants looked at.

    Attributes:
        stored: Evaluations in the store that the next look settles.
        latest: The most recent evaluation, stored or not.
        key: Place in the queue: priority, then who asked first.
        again: Something asked for it while a worker had it.
        shape: The shape under which it waits for capacity, or was last woken from.
        epoch: The broker's epoch when a worker took it.
    """

    latest: Evaluation
    key: _Key
    stored: dict[str, Evaluation] = field(default_factory=dict)
    standing: _Standing = _Standing.READY
    again: bool = False
    shape: bytes | None = None
    epoch: int = 0


class Broker:
    """A queue of jobs to look at, by priority, then who asked first."""

    def __init__(self) -> None:
        self._entries: dict[JobID, _Entry] = {}
        self._ready: list[tuple[_Key, JobID]] = []
        self._blocked: dict[bytes, list[tuple[_Key, JobID]]] = {}
        self._chains: set[bytes] = set()
        self._epoch = 0
        self._counter = itertools.count()
        self._ready_count = asyncio.Semaphore(0)  # of ready jobs: each wakes one worker

    def __contains__(self, job_id: JobID) -> bool:
        return job_id in self._entries

    def enqueue(self, evaluation: Evaluation, *, stored: bool) -> None:
        """Ask for a look at the evaluation's job, whatever it is waiting for."""
        entry = self._entries.get(evaluation.job_id)
        if entry is None:
            # Not by date: a clock that is set back would let the young go first for as long.
            key = (-evaluation.priority, next(self._counter))
            entry = self._entries[evaluation.job_id] = _Entry(evaluation, key)
            self._push_ready(evaluation.job_id, entry)
        elif entry.standing is _Standing.CLAIMED:
            entry.again = True
        elif entry.standing is _Standing.BLOCKED:
            self._unblock(evaluation.job_id, entry)
        elif entry.standing is _Standing.PARKED:
            self._push_ready(evaluation.job_id, entry)
        entry.latest = evaluation
        if stored:
            entry.stored[evaluation.id] = evaluation

    async def claim(self) -> Claim:
        """Wait for the next job and take it; the caller must call ``done`` with the claim.

        Cancellation: nothing is taken.
        """
        await self._ready_count.acquire()
        _, job_id = heapq.heappop(self._ready)
        entry = self._entries[job_id]
        entry.standing = _Standing.CLAIMED
        entry.again = False
        entry.epoch = self._epoch
        return Claim(entry.latest, tuple(entry.stored.values()))

    def done(self, claim: Claim, *, kept: Evaluation | None, shape: bytes | None) -> None:
        """Give a claim back; with a shape, the job waits for capacity under evaluation ``kept``."""
        job_id = claim.evaluation.job_id
        entry = self._entries[job_id]
        for evaluation in claim.stored:
            entry.stored.pop(evaluation.id, None)
        if kept is not None:
            entry.stored[kept.id] = kept
            if not entry.again:
                entry.latest = kept
        if shape != entry.shape:
            # It has its place, or asks for something else now: others may find room all the same.
            self._continue_chain(entry)
        if entry.again or (shape is not None and entry.epoch != self._epoch):
            # If it was the first of its shape that was woken, it still is.
            self._push_ready(job_id, entry)
        elif shape is not None:
            self._end_chain(entry)
            entry.shape = shape
            entry.standing = _Standing.BLOCKED
            heapq.heappush(self._blocked.setdefault(shape, []), (entry.key, job_id))
        else:
            del self._entries[job_id]

    def put_back(self, claim: Claim) -> None:
        """Give a claim back unanswered; the job is looked at when something asks for it again."""
        entry = self._entries[claim.evaluation.job_id]
        self._continue_chain(entry)
        entry.standing = _Standing.PARKED
        if entry.again:
            self._push_ready(claim.evaluation.job_id, entry)

    def capacity_freed(self) -> None:
        """Wake the first waiting job of each shape."""
        self._epoch += 1
        for shape in tuple(self._blocked):
            self._wake_first(shape)

    def capacity_lost(self) -> None:
        """Wake every waiting job: what it waits for may never come.

        The first of a shape does not speak for the others here, for some may wait longer.
        """
        self._epoch += 1
        blocked, self._blocked = self._blocked, {}
        for waiting in blocked.values():
            for _, job_id in waiting:
                entry = self._entries[job_id]
                entry.shape = None
                self._push_ready(job_id, entry)

    def _wake_first(self, shape: bytes) -> None:
        waiting = self._blocked.get(shape)
        if not waiting or shape in self._chains:
            return
        _, job_id = heapq.heappop(waiting)
        if not waiting:
            del self._blocked[shape]
        self._chains.add(shape)
        self._push_ready(job_id, self._entries[job_id])

    def _continue_chain(self, entry: _Entry) -> None:
        """Wake the next of a shape after the one that was woken before."""
        shape = self._end_chain(entry)
        if shape is not None:
            self._wake_first(shape)

    def _end_chain(self, entry: _Entry) -> bytes | None:
        """Forget that an entry was woken for its shape; return that shape."""
        shape, entry.shape = entry.shape, None
        if shape is not None:
            self._chains.discard(shape)
        return shape

    def _unblock(self, job_id: JobID, entry: _Entry) -> None:
        assert entry.shape is not None, "a blocked job has a shape"
        waiting = self._blocked[entry.shape]
        waiting.remove((entry.key, job_id))
        heapq.heapify(waiting)
        if not waiting:
            del self._blocked[entry.shape]
        entry.shape = None
        self._push_ready(job_id, entry)

    def _push_ready(self, job_id: JobID, entry: _Entry) -> None:
        entry.standing = _Standing.READY
        heapq.heappush(self._ready, (entry.key, job_id))
        self._ready_count.release()
