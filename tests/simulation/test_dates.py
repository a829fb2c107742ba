"""Whole clusters whose machines' dates are set while they work, and promises kept all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.simulation.composition import RealComposition
from bacalhau.simulation.run import run_seed

if TYPE_CHECKING:
    from bacalhau.compute.service import ComputeNode
    from bacalhau.orchestrator.service import Orchestrator
    from bacalhau.ports import Clock
    from bacalhau.simulation.scenario import NodePlan

EVERY_SECONDS = 40


class _Unreliable:
    """A machine whose date is set again and again: back, or far forward and back again."""

    def __init__(self, clock: Clock, step_seconds: float) -> None:
        self._clock = clock
        self._step_ns = int(step_seconds * 10**9)

    def now_ns(self) -> int:
        steps = int(self._clock.monotonic() // EVERY_SECONDS)
        return self._clock.now_ns() + self._step_ns * (steps % 2 if self._step_ns > 0 else steps)

    def monotonic(self) -> float:
        return self._clock.monotonic()


class _OnUnreliableMachines(RealComposition):
    def __init__(self, step_seconds: float) -> None:
        self._step_seconds = step_seconds

    def orchestrator(self, *, clock: Clock, **seams: Any) -> Orchestrator:
        return super().orchestrator(clock=self._on(clock), **seams)

    def compute_node(self, plan: NodePlan, *, clock: Clock, **seams: Any) -> ComputeNode:
        return super().compute_node(plan, clock=self._on(clock), **seams)

    def _on(self, clock: Clock) -> Clock:
        return _Unreliable(clock, self._step_seconds)


@pytest.mark.parametrize("step_seconds", [-3600, 30 * 365 * 86400], ids=["back", "to and fro"])
@pytest.mark.parametrize("first", [0, 20])
def test_no_promise_is_broken_and_it_is_told(first: int, step_seconds: float) -> None:
    told = f"log warning clock_was_set_back seconds={float(abs(step_seconds))}"
    for seed in range(first, first + 20):
        verdict = run_seed(seed, _OnUnreliableMachines(step_seconds))
        assert verdict.violation is None, verdict.report()
        assert any(told in line for line in verdict.trace)
