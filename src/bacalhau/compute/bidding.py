"""Whether this node wants an execution, and what it would give it (spec orchestration.md 6.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.compute.admission import locality_reasons, policy_reasons
from bacalhau.compute.failures import told_as
from bacalhau.compute.inputs import inputs_of, plan_all
from bacalhau.compute.probe_command import ask_command
from bacalhau.compute.probe_payload import probe_payload
from bacalhau.compute.probe_url import ask_url
from bacalhau.errors import UnsuitableNodeError
from bacalhau.models import AllocatedResources
from bacalhau.models.capacity import task_resources
from bacalhau.ports import SelectivePublisher
from bacalhau.scheduling.feasibility import format_resources

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.compute.inputs import Share
    from bacalhau.compute.options import ComputeOptions
    from bacalhau.compute.plugins import Plugins
    from bacalhau.models import InputSource, Job, Resources, Task


class Bid(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to an offer: no reasons against it means yes. ``hint`` says what would help.

    ``warnings`` are of the inputs, as they were found; ``listings`` as in ``Share``.
    """

    reasons: tuple[str, ...] = ()
    hint: str = ""
    allocated: AllocatedResources = AllocatedResources()
    warnings: tuple[str, ...] = ()
    listings: dict[str, str] = {}

    @property
    def text(self) -> str:
        """The reasons as the user reads them; empty for a yes."""
        return "; ".join(f"rejected bid: {reason}" for reason in self.reasons)


class BidPolicy:
    """Judges offers by what the node is, never by what it is busy with."""

    def __init__(self, *, plugins: Plugins, capacity: Resources, options: ComputeOptions) -> None:
        self._plugins = plugins
        self._capacity = capacity
        self._options = options

    async def judge(self, job: Job, share: Share) -> Bid:
        """Make a bid; the checks that cost something wait until the cheap ones agree.

        Raises:
            BacalhauError: a question could not be answered, so the execution fails.
        """
        task = job.task
        inputs = inputs_of(task, self._plugins)
        reasons = policy_reasons(task, self._options) + await self._missing_reasons(task, inputs)
        if reasons:
            return Bid(reasons=tuple(reasons))
        known = self._check_parameters(task, inputs)
        try:
            self._ask_publisher(task)
        except UnsuitableNodeError as exc:
            return Bid(reasons=(exc.message,), hint=exc.hint)
        requested = task_resources(task)
        reasons = await locality_reasons(inputs, self._plugins.sources, self._options)
        reasons += self._resource_reasons(requested)
        if not reasons:
            reasons = await self._probe_reasons(job)
        if not reasons:
            reasons = await self._engine_reasons(task, requested)
        if reasons:
            return Bid(reasons=tuple(reasons))
        bid = await self._with_inputs(task, inputs, share, requested)
        news = tuple(warning for warning in bid.warnings if warning not in known)
        return msgspec.structs.replace(bid, warnings=news)

    async def _missing_reasons(self, task: Task, inputs: Sequence[InputSource]) -> list[str]:
        missing = []
        publisher, engine = task.publisher.kind, task.engine.kind
        if publisher and await self._plugins.publishers.get(publisher) is None:
            missing.append(self._plugins.publishers.lacking(publisher))
        for kind in dict.fromkeys(wanted.source.kind for wanted in inputs):
            if await self._plugins.sources.get(kind) is None:
                missing.append(self._plugins.sources.lacking(kind))  # noqa: PERF401 - it waits
        if await self._plugins.engines.get(engine) is None:
            missing.append(self._plugins.engines.lacking(engine))
        return missing

    def _check_parameters(self, task: Task, inputs: Sequence[InputSource]) -> set[str]:
        """Judge parameters again: the orchestrator may know less of a plug-in than this node.

        Returns the warnings about inputs, which the submission has told.

        Raises:
            ValidationError: what the plug-in says.
        """
        engine = self._plugins.engines.find(task.engine.kind)
        if engine is not None:
            engine.check(task.engine)
        publisher = self._plugins.publishers.find(task.publisher.kind)
        if publisher is not None:
            publisher.check(task.publisher)
        warnings: set[str] = set()
        for wanted in inputs:
            source = self._plugins.sources.find(wanted.source.kind)
            if source is not None:
                warnings.update(source.check(wanted.source))
        return warnings

    def _ask_publisher(self, task: Task) -> None:
        """Ask whether results may go where the task wants them, before it runs for nothing."""
        publisher: object = self._plugins.publishers.find(task.publisher.kind)
        if isinstance(publisher, SelectivePublisher):
            publisher.admit(task.publisher)

    async def _with_inputs(
        self, task: Task, inputs: Sequence[InputSource], share: Share, requested: Resources
    ) -> Bid:
        """Add the size of the inputs to what is asked for, and judge that."""
        limit_seconds = self._options.read_timeout_seconds
        with told_as("calculating resource usage of job: "):
            try:
                plans = await plan_all(
                    inputs, self._plugins.sources, share, limit_seconds=limit_seconds
                )
            except UnsuitableNodeError as exc:
                return Bid(reasons=(exc.message,), hint=exc.hint)
        size_bytes = sum(plan.size_bytes for plan in plans)
        requested = msgspec.structs.replace(requested, disk=max(requested.disk, size_bytes))
        reasons = self._resource_reasons(requested)
        if reasons:
            return Bid(reasons=tuple(reasons))
        found = zip(inputs, plans, strict=True)
        return Bid(
            allocated=AllocatedResources(tasks={task.name: requested}),
            warnings=tuple(warning for plan in plans for warning in plan.warnings),
            listings={wanted.target: plan.listing for wanted, plan in found if plan.listing},
        )

    async def _probe_reasons(self, job: Job) -> list[str]:
        options = self._options
        if not options.probe_exec and not options.probe_http:
            return []
        try:
            payload = probe_payload(job)
        except ValueError as exc:
            return [f"this node does not {exc}"]
        reasons = []
        limit_seconds = options.probe_seconds
        if options.probe_exec:
            reasons.append(
                await ask_command(options.probe_exec, payload, limit_seconds=limit_seconds)
            )
        if options.probe_http:
            reasons.append(await ask_url(options.probe_http, payload, limit_seconds=limit_seconds))
        return [reason for reason in reasons if reason]

    async def _engine_reasons(self, task: Task, requested: Resources) -> list[str]:
        engine = self._plugins.engines.find(task.engine.kind)
        assert engine is not None, "the cheap checks found the engine"
        phrase = await engine.refusal(task, requested)
        return [f"this node does not {phrase}"] if phrase else []

    def _resource_reasons(self, requested: Resources) -> list[str]:
        if requested.fits_into(self._capacity):
            return []
        return [
            f"insufficient resources - requested: {format_resources(requested)}, "
            f"available: {format_resources(self._capacity)}"
        ]
