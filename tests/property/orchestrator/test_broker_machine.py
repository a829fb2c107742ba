"""The broker under any sequence of demands, looks, freed and lost capacity, and restarts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bacalhau.models import Evaluation, EvaluationID, JobID
from bacalhau.orchestrator.broker import Broker
from tests.support.records import make_evaluation

if TYPE_CHECKING:
    from bacalhau.scheduling.plan import Claim

PRIORITIES = {JobID("j-a"): 0, JobID("j-b"): 0, JobID("j-c"): 0, JobID("j-d"): 5, JobID("j-e"): 9}
JOBS = list(PRIORITIES)
SHAPES = [b"small", b"large"]


@dataclass
class Demand:
    """What the model knows of one job that somebody wants looked at.

    ``waits_for`` is its shape while it is blocked. ``scouts_for`` is the shape that it was woken
    for, and that nobody else is woken for until it is done. ``is_stale`` tells that capacity has
    changed since a worker took it.
    """

    key: tuple[int, int]
    open: dict[str, Evaluation] = field(default_factory=dict)
    claim: Claim | None = None
    is_parked: bool = False
    waits_for: bytes | None = None
    scouts_for: bytes | None = None
    is_asked_again: bool = False
    is_stale: bool = False

    @property
    def is_ready(self) -> bool:
        return self.claim is None and not self.is_parked and self.waits_for is None


class BrokerMachine(RuleBasedStateMachine):
    """Compares the broker with a list of who wants what."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.broker = Broker()
        self.demands: dict[JobID, Demand] = {}
        self.asked = 0

    def teardown(self) -> None:
        self.runner.close()

    # -- demands -----------------------------------------------------------------------

    @rule(job=st.sampled_from(JOBS), stored=st.booleans(), age=st.integers(0, 2))
    def ask(self, job: JobID, stored: bool, age: int) -> None:
        self.asked += 1
        self._ask(
            make_evaluation(
                id=EvaluationID(f"v-{self.asked}"),
                job_id=job,
                priority=PRIORITIES[job],
                create_time=age,
            ),
            stored=stored,
        )

    def _ask(self, evaluation: Evaluation, *, stored: bool) -> None:
        self.broker.enqueue(evaluation, stored=stored)
        self.asked += 1
        key = (-evaluation.priority, self.asked)
        demand = self.demands.setdefault(evaluation.job_id, Demand(key))
        demand.is_asked_again = demand.claim is not None
        demand.is_parked = False
        demand.waits_for = None
        if stored:
            demand.open[evaluation.id] = evaluation

    # -- looks -------------------------------------------------------------------------

    @rule()
    def take(self) -> None:
        """The best of those that are ready is handed out, with all that it settles."""
        self._take_best()

    @rule(shape=st.sampled_from(SHAPES))
    def no_room(self, shape: bytes) -> None:
        """Workers look at all that is ready, and find no room for any of it."""
        while (job := self._take_best()) is not None:
            self._block(job, shape)

    def _take_best(self) -> JobID | None:
        ready = [job for job, demand in self.demands.items() if demand.is_ready]
        claim = self.runner.run(self._take())
        if claim is None:
            assert not ready
            return None
        job = claim.evaluation.job_id
        assert job == min(ready, key=lambda each: self.demands[each].key)
        demand = self.demands[job]
        assert claim.stored == tuple(demand.open.values())
        demand.claim, demand.is_asked_again, demand.is_stale = claim, False, False
        return job

    async def _take(self) -> Claim | None:
        try:
            async with asyncio.timeout(0):
                return await self.broker.claim()
        except TimeoutError:
            return None

    @precondition(lambda self: self._taken())
    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """A worker has placed the job, or the job has ended."""
        job = data.draw(st.sampled_from(self._taken()))
        demand, claim = self._returned(job)
        self.broker.done(claim, kept=None, shape=None)
        scouted, demand.scouts_for = demand.scouts_for, None
        if not demand.is_asked_again:
            del self.demands[job]
        self._wake_first(scouted)

    @precondition(lambda self: self._taken())
    @rule(data=st.data(), shape=st.sampled_from(SHAPES))
    def block(self, data: st.DataObject, shape: bytes) -> None:
        """A worker has found no room; the job waits, unless there may be room by now."""
        self._block(data.draw(st.sampled_from(self._taken())), shape)

    def _block(self, job: JobID, shape: bytes) -> None:
        """When what a job asks for has changed, it says nothing of those it was woken before."""
        demand, claim = self._returned(job)
        kept = claim.evaluation
        self.broker.done(claim, kept=kept, shape=shape)
        demand.open = {**demand.open, kept.id: kept}
        scouted = demand.scouts_for
        if scouted != shape:
            demand.scouts_for = None
            self._wake_first(scouted)
        if not (demand.is_asked_again or demand.is_stale):
            demand.waits_for, demand.scouts_for = shape, None

    @precondition(lambda self: self._taken())
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """The store failed: nothing is settled, and the next demand finds it all."""
        self._give_up(data.draw(st.sampled_from(self._taken())))

    @rule()
    def store_is_down(self) -> None:
        """Workers look at all that is ready, and can store nothing."""
        while (job := self._take_best()) is not None:
            self._give_up(job)

    def _give_up(self, job: JobID) -> None:
        demand = self.demands[job]
        assert demand.claim is not None
        self.broker.put_back(demand.claim)
        demand.claim = None
        demand.is_parked = not demand.is_asked_again
        scouted, demand.scouts_for = demand.scouts_for, None
        self._wake_first(scouted)

    def _taken(self) -> list[JobID]:
        return [job for job, demand in self.demands.items() if demand.claim is not None]

    def _returned(self, job: JobID) -> tuple[Demand, Claim]:
        demand = self.demands[job]
        claim, demand.claim = demand.claim, None
        assert claim is not None
        for evaluation in claim.stored:
            del demand.open[evaluation.id]
        return demand, claim

    # -- capacity ----------------------------------------------------------------------

    @rule()
    def free(self) -> None:
        self.broker.capacity_freed()
        self._mark_stale()
        for shape in SHAPES:
            self._wake_first(shape)

    @precondition(lambda self: self.asked % 3 == 0)
    @rule()
    def lose(self) -> None:
        self.broker.capacity_lost()
        self._mark_stale()
        for demand in self.demands.values():
            demand.waits_for = None

    def _mark_stale(self) -> None:
        for demand in self.demands.values():
            demand.is_stale = True

    def _wake_first(self, shape: bytes | None) -> None:
        if shape is None or any(each.scouts_for == shape for each in self.demands.values()):
            return
        waiting = [each for each in self.demands.values() if each.waits_for == shape]
        if waiting:
            first = min(waiting, key=lambda each: each.key)
            first.waits_for, first.scouts_for = None, shape

    # -- what must always be -----------------------------------------------------------

    @precondition(lambda self: self.asked % 7 == 0)
    @rule()
    def restart(self) -> None:
        """A new broker is filled from the store, where settled evaluations are closed."""
        waiting = [each for demand in self.demands.values() for each in demand.open.values()]
        self.broker, self.demands = Broker(), {}
        for evaluation in waiting:
            self._ask(evaluation, stored=True)

    @precondition(lambda self: self.asked % 5 == 0)
    @rule()
    def everything_fits(self) -> None:
        """Once there is room for all, nobody waits, and each has had his look."""
        for job in self._taken():
            demand, taken = self._returned(job)
            self.broker.done(taken, kept=None, shape=None)
            demand.open.clear()
        self.broker.capacity_freed()
        looked_at: list[JobID] = []
        while (claim := self.runner.run(self._take())) is not None:
            looked_at.append(claim.evaluation.job_id)
            self.broker.done(claim, kept=None, shape=None)
        assert len(looked_at) == len(set(looked_at))
        waiting = {job for job, demand in self.demands.items() if demand.waits_for is not None}
        assert waiting <= set(looked_at)
        self.demands = {job: each for job, each in self.demands.items() if each.is_parked}

    @invariant()
    def nothing_is_lost(self) -> None:
        assert [job for job in JOBS if job in self.broker] == [
            job for job in JOBS if job in self.demands
        ]


TestBroker = BrokerMachine.TestCase
TestBroker.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
