"""What the operator lets in, judged by the job alone (spec orchestration.md 6.2: S1, S2, S5)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from bacalhau.models import NetworkType
from bacalhau.ports import LocalPresence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.compute.options import ComputeOptions
    from bacalhau.compute.plugins import Offers
    from bacalhau.models import InputSource, Task
    from bacalhau.ports import Source


def policy_reasons(task: Task, options: ComputeOptions) -> list[str]:
    """Return why the operator does not want such a task; nothing has to be looked up for it."""
    reasons = []
    if task.network.type is not NetworkType.NONE and not options.accept_networked_jobs:
        reasons.append("this node does not run jobs that require network access")
    if options.reject_stateless_jobs and not task.input_sources:
        reasons.append("this node does not accept jobs without any input volumes")
    return reasons


async def locality_reasons(
    inputs: Sequence[InputSource], sources: Offers[Source], options: ComputeOptions
) -> list[str]:
    """Return why the inputs are too far away, where the operator wants them on the node."""
    if not options.requires_local_inputs:
        return []
    distant = 0
    for wanted in inputs:
        if not await _is_here(wanted, sources, options.read_timeout_seconds):
            distant += 1
    if not distant:
        return []
    return [
        f"this node does not have all input data locally ({distant} inputs require downloading)"
    ]


async def _is_here(wanted: InputSource, sources: Offers[Source], limit_seconds: float) -> bool:
    source: object = sources.find(wanted.source.kind)
    if not isinstance(source, LocalPresence):
        return False
    try:
        async with asyncio.timeout(limit_seconds):
            return await source.has_locally(wanted)
    except TimeoutError:
        return False
