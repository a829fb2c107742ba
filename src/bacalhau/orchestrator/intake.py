"""Accepting and stopping jobs (spec api.md 2, orchestration.md 2.1, 2.4).

Whatever is answered with success is in the store already; whatever is refused left nothing behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
import structlog

from bacalhau.errors import Code, ConflictError, StaleWriteError
from bacalhau.lib.ids import derived_uuid
from bacalhau.lifecycle import events
from bacalhau.lifecycle import job as job_lifecycle
from bacalhau.lifecycle.changes import HistoryDraft, JobChanges, JobDraft
from bacalhau.models import EvaluationID, JobID, JobState, State, Trigger
from bacalhau.models.api import PutJobResponse, StopJobResponse
from bacalhau.models.defaults import TaskDefaults, apply_defaults
from bacalhau.models.submission import prepare
from bacalhau.models.validate import blank_publishers, raise_for, validate_stored
from bacalhau.orchestrator.references import find_job

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bacalhau.models import Job, JobType, NodeID
    from bacalhau.orchestrator.broker import Broker
    from bacalhau.orchestrator.checks import Checks
    from bacalhau.orchestrator.planner import Planner
    from bacalhau.ports import Clock, Ids, JobStore

log = structlog.get_logger()


class _Ids(NamedTuple):
    job: JobID
    evaluation: EvaluationID


class Intake:
    """The door by which jobs come in and are stopped."""

    def __init__(
        self,
        *,
        node_id: NodeID,
        store: JobStore,
        broker: Broker,
        planner: Planner,
        checks: Checks,
        defaults: Mapping[JobType, TaskDefaults],
        meta: Mapping[str, str],
        clock: Clock,
        ids: Ids,
    ) -> None:
        self._store = store
        self._broker = broker
        self._planner = planner
        self._checks = checks
        self._defaults = defaults
        self._meta = {
            "bacalhau.org/orchestrator.id": node_id,
            "bacalhau.org/requester.id": node_id,
            **meta,
        }
        self._clock = clock
        self._ids = ids

    async def submit(
        self,
        job: Job,
        *,
        warnings: Sequence[str],
        client_meta: Mapping[str, str],
        idempotency_token: str = "",
    ) -> PutJobResponse:
        """Validate and store a job; returns when it is durable.

        ``warnings`` are those of decoding, and come back with those found here. Ids are made from
        the token, unless it is empty, so that a repetition, even after a restart, finds the job
        that is there already, and is answered as the first time.

        Raises:
            ValidationError: with every problem found, and the paths of the fields.
            ConflictError: the job brings its own id, and that is taken; or the token was used
                for another job.
        """
        problems = blank_publishers(job)
        job, found = prepare(job)
        given = idempotency_token if not job.id else ""
        ids = _ids_from(job, given) if given else self._fresh_ids(job)
        job = self._complete(job, ids.job, client_meta)
        raise_for([*problems, *validate_stored(job)])
        all_warnings = [*warnings, *found, *self._checks.run(job)]
        evaluation = msgspec.structs.replace(
            self._planner.evaluation(job, Trigger.JOB_REGISTER), id=ids.evaluation
        )
        submitted = HistoryDraft(
            event=events.job_submitted(job.create_time), time_ns=job.create_time
        )
        changes = JobChanges(
            job_id=job.id, job=job, evaluations=(evaluation,), history=(submitted,)
        )
        try:
            await self._store.apply(changes)
        except ConflictError:
            if not given:
                raise
            self._check_repetition(job)
        else:
            self._broker.enqueue(evaluation, stored=True)
        return PutJobResponse(
            job_id=job.id, evaluation_id=evaluation.id, warnings=all_warnings or None
        )

    def _check_repetition(self, job: Job) -> None:
        known = self._store.job(job.id)
        assert known is not None, f"{job.id} is taken"
        if _specification(known) != _specification(job):
            raise ConflictError(
                f"the idempotency token was used for another job: {job.id}",
                hint="give each job a token of its own",
                component="Orchestrator",
                fields=["IdempotencyToken"],
            )

    async def stop(self, reference: str, reason: str) -> StopJobResponse:
        """Stop a job for good; returns when that is durable. A stopped job stays stopped.

        Raises:
            NotFoundError: no job has this id, or begins like this.
            AmbiguousError: several do.
            ConflictError: the job has completed or failed.
        """
        job_id = find_job(self._store, reference).id
        while True:
            snapshot = self._store.snapshot(job_id)
            assert snapshot is not None, f"{job_id} was found before"
            state = snapshot.job.state.state_type
            if state is JobState.STOPPED:
                return StopJobResponse()
            if state.is_terminal:
                raise ConflictError(
                    f"cannot stop job in state {state}",
                    code=Code.JOB_STATE,
                    hint="only jobs that have not ended can be stopped",
                    component="JobStore",
                )
            draft = JobDraft(snapshot, self._clock.now_ns())
            job_lifecycle.stop(draft, reason)
            evaluation = self._planner.evaluation(snapshot.job, Trigger.JOB_CANCEL)
            draft.evaluate(evaluation)
            try:
                await self._store.apply(draft.changes(guard_job=True))
            except StaleWriteError:
                continue
            self._broker.enqueue(evaluation, stored=True)
            return StopJobResponse(evaluation_id=evaluation.id)

    def _fresh_ids(self, job: Job) -> _Ids:
        own = JobID(f"j-{self._ids.uuid()}")
        return _Ids(job.id or own, EvaluationID(self._ids.uuid()))

    def _complete(self, job: Job, job_id: JobID, client_meta: Mapping[str, str]) -> Job:
        """Fill in what the server decides: id, name, meta, defaults, state and times."""
        now_ns = self._clock.now_ns()
        completed: Job = apply_defaults(job, self._defaults.get(job.type, TaskDefaults()))
        return msgspec.structs.replace(
            completed,
            id=job_id,
            name=job.name or job_id,
            meta={**job.meta, **client_meta, **self._meta},
            state=State[JobState](state_type=JobState.PENDING),
            revision=1,
            create_time=now_ns,
            modify_time=now_ns,
        )


def _ids_from(job: Job, token: str) -> _Ids:
    """Return the ids that always stand for the same token in the same namespace."""
    return _Ids(
        JobID(f"j-{derived_uuid('job', job.namespace, token)}"),
        EvaluationID(derived_uuid("evaluation", job.namespace, token)),
    )


def _specification(job: Job) -> Job:
    """Return a job without what changes while it lives, and what differs from call to call."""
    return msgspec.structs.replace(
        job,
        meta={},
        state=State[JobState](state_type=JobState.PENDING),
        revision=0,
        version=0,
        create_time=0,
        modify_time=0,
    )
