"""The oracle finds faults: each one here is planted in the real code and must be reported.

A fault that no seed finds any more means that the simulation has lost its teeth.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from bacalhau.compute.ledger import Ledger
from bacalhau.compute.records import Records
from bacalhau.compute.runner import Runner
from bacalhau.errors import TransientError, ValidationError
from bacalhau.lifecycle import execution as lifecycle
from bacalhau.lifecycle.changes import JobDraft
from bacalhau.models import ComputeState, DesiredState, Evaluation, JobState, State, Trigger
from bacalhau.orchestrator.answers import Answers
from bacalhau.orchestrator.broker import Broker
from bacalhau.orchestrator.intake import Intake
from bacalhau.orchestrator.registry import NodeRegistry
from bacalhau.ports.guards import JobHead
from bacalhau.protocol.sequence import Receiver, Sender
from bacalhau.scheduling.look import Look
from bacalhau.simulation.disk import CrashableJobStore
from bacalhau.simulation.oracle import Invariant
from bacalhau.simulation.seeds import play
from bacalhau.testing import store_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.models import ExecutionID, Resources
    from bacalhau.ports import JobChanges

    Plant = Callable[[pytest.MonkeyPatch], None]

SEEDS_MAX = 200


def store_without_guards(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that takes writes based on what has changed since."""

    def head_after(changes: JobChanges, stored: JobHead | None, revisions: Any) -> JobHead:
        fresh = JobHead(
            revision=0, generation=0, events=0, namespace="", create_time=0, is_ended=False
        )
        before = stored or fresh
        return msgspec.structs.replace(
            before,
            revision=changes.job.revision if changes.job else before.revision,
            generation=before.generation + 1,
            events=before.events + len(changes.history),
        )

    monkeypatch.setattr(store_memory, "job_head_after", head_after)


def store_that_answers_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that answers before it has written, as one does that does not wait for the disk."""
    apply = CrashableJobStore.apply

    async def apply_later(self: CrashableJobStore, changes: JobChanges) -> int:
        if changes.job is None or changes.job.revision != 1:
            return await apply(self, changes)
        asyncio.get_running_loop().create_task(apply(self, changes))
        return 1

    monkeypatch.setattr(CrashableJobStore, "apply", apply_later)


def store_that_hides_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that says nothing of what the disk did not take."""
    apply = CrashableJobStore.apply

    async def apply_hopefully(self: CrashableJobStore, changes: JobChanges) -> int:
        try:
            return await apply(self, changes)
        except TransientError:
            return 1

    monkeypatch.setattr(CrashableJobStore, "apply", apply_hopefully)


def receiver_that_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver that takes messages although some before them are missing."""
    monkeypatch.setattr(Receiver, "is_next", lambda self, seq, previous: seq > self.received)


def sender_that_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender that never repeats what was lost."""
    monkeypatch.setattr(Sender, "rewind", lambda self: False)


def ledger_that_overcommits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A ledger that lets everything start at once."""

    def enter(self: Ledger, execution_id: ExecutionID, resources: Resources, priority: int) -> bool:
        self._running[execution_id] = resources
        return True

    monkeypatch.setattr(Ledger, "enter", enter)


def runner_that_lets_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """A runner that does not stop what was cancelled."""
    monkeypatch.setattr(Runner, "drop", lambda self, execution_id: None)


def inbox_that_takes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """An orchestrator that accepts a result after the job was stopped."""

    def answer(draft: JobDraft, execution: Any, message: Any) -> bool:
        if not hasattr(message, "published_result"):
            return real(draft, execution, message)
        lifecycle._put(
            draft,
            execution,
            DesiredState.STOPPED,
            ComputeState.COMPLETED,
        )
        return True

    real = lifecycle.answer
    monkeypatch.setattr(lifecycle, "answer", answer)
    monkeypatch.setattr(Answers, "_answered", _answered_regardless)


def _answered_regardless(answers: Answers, job_id: Any, messages: Any) -> JobDraft | None:
    snapshot = answers._store.snapshot(job_id)
    if snapshot is None:
        return None
    draft = JobDraft(snapshot, answers._clock.now_ns())
    for message in messages:
        execution = draft.execution(message.execution_id)
        if execution is not None:
            lifecycle.answer(draft, execution, message)
    return None if draft.is_empty else draft


def answers_that_nobody_looks_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """A result is stored without anything that makes a scheduler look at it."""
    evaluate = JobDraft.evaluate

    def evaluate_some(self: JobDraft, evaluation: Evaluation) -> None:
        if evaluation.triggered_by is not Trigger.EXEC_UPDATE:
            evaluate(self, evaluation)

    monkeypatch.setattr(JobDraft, "evaluate", evaluate_some)


def broker_that_forgets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that wait for capacity are not told when it is freed."""
    monkeypatch.setattr(Broker, "capacity_freed", lambda self: None)


def registry_that_loses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nodes that are dead are waited for."""

    async def watch(self: NodeRegistry, on_lost: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(NodeRegistry, "watch", watch)


def intake_that_refuses_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job is refused after it was stored."""
    submit = Intake.submit

    async def submit_and_refuse(self: Intake, *arguments: Any, **options: Any) -> Any:
        await submit(self, *arguments, **options)
        raise ValidationError("no")

    monkeypatch.setattr(Intake, "submit", submit_and_refuse)


def intake_that_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stop is confirmed without being stored."""

    async def stop(self: Intake, job_id: Any, reason: str) -> Any:
        return None, reason

    monkeypatch.setattr(Intake, "stop", stop)


def job_that_rises_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A late answer brings a job that has ended back to life."""
    real = Answers._answered

    def answer(self: Answers, node_id: Any, message: Any) -> Any:
        draft = real(self, node_id, message)
        if draft is None and (found := self._find(node_id, message.execution_id)) is not None:
            snapshot = found[0]
            draft = JobDraft(snapshot, self._clock.now_ns())
            running = State[JobState](state_type=JobState.RUNNING)
            draft.put_job(msgspec.structs.replace(snapshot.job, state=running))
        return draft

    monkeypatch.setattr(Answers, "_answered", answer)


def orchestrator_that_breaks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A defect ends the process."""

    def jobs_on(self: NodeRegistry, node_id: Any) -> Any:
        raise KeyError(node_id)

    monkeypatch.setattr(NodeRegistry, "jobs_on", jobs_on)


def node_that_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that ends when its disk is full."""

    async def apply_once(self: Records, changes: Any) -> None:
        await self.store.apply(changes)

    monkeypatch.setattr(Records, "_apply", apply_once)


def scheduler_that_divides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """All executions of a job work on the same partition."""
    place = Look.place

    def place_first(self: Look, node: Any, wanted: Any, partition_index: int = 0) -> None:
        place(self, node, wanted)

    monkeypatch.setattr(Look, "place", place_first)


def scheduler_that_never_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that has waited for a node with its inputs waits for it again."""
    begin = Look.__init__

    def begin_anew(self: Look, *arguments: Any) -> None:
        begin(self, *arguments)
        self.awaited_since = 0

    monkeypatch.setattr(Look, "__init__", begin_anew)


FAULTS: list[tuple[Plant, set[Invariant]]] = [
    # One write undoes another: which promise that breaks first depends on the two.
    (
        store_without_guards,
        {
            Invariant.FINAL,
            Invariant.DEMAND,
            Invariant.RESULTS,
            Invariant.PROGRESS,
            Invariant.AGREEMENT,
        },
    ),
    (store_that_answers_first, {Invariant.ACKNOWLEDGED}),
    # What is lost may be a submission, a stop, or a node's answer before the one that is kept.
    (
        store_that_hides_failures,
        {Invariant.ACKNOWLEDGED, Invariant.STOPPED, Invariant.ORDER},
    ),
    (receiver_that_skips, {Invariant.ORDER, Invariant.AGREEMENT, Invariant.COMPLETION}),
    (sender_that_gives_up, {Invariant.AGREEMENT, Invariant.COMPLETION}),
    (ledger_that_overcommits, {Invariant.CAPACITY}),
    (runner_that_lets_go, {Invariant.AGREEMENT, Invariant.CAPACITY, Invariant.ALIVE}),
    (inbox_that_takes_everything, {Invariant.RESULTS, Invariant.FINAL}),
    (answers_that_nobody_looks_at, {Invariant.PROGRESS}),
    (broker_that_forgets, {Invariant.COMPLETION}),
    (registry_that_loses_nobody, {Invariant.COMPLETION, Invariant.AGREEMENT}),
    (intake_that_refuses_too_late, {Invariant.REFUSED}),
    (intake_that_stops_nothing, {Invariant.STOPPED}),
    # The store often asserts it, before the oracle can see it.
    (job_that_rises_again, {Invariant.ALIVE, Invariant.FINAL}),
    (orchestrator_that_breaks, {Invariant.ALIVE}),
    (node_that_gives_up, {Invariant.ALIVE}),
    (scheduler_that_divides_nothing, {Invariant.PARTITIONS}),
    (scheduler_that_never_gives_up, {Invariant.PATIENCE}),
]


@pytest.mark.parametrize(("plant", "expected"), FAULTS, ids=[plant.__name__ for plant, _ in FAULTS])
def test_a_planted_fault_is_found(
    plant: Plant, expected: set[Invariant], monkeypatch: pytest.MonkeyPatch
) -> None:
    plant(monkeypatch)
    verdicts = (play(seed) for seed in range(1, SEEDS_MAX + 1))
    found = next((verdict for verdict in verdicts if verdict.violation is not None), None)
    assert found is not None, f"{SEEDS_MAX} seeds did not find it"
    assert found.violation is not None
    assert found.violation.invariant in expected, found.report()
