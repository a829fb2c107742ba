"""Whole clusters whose machines' dates are set back while they work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.lib.clock import SteadyClock
from bacalhau.simulation.composition import RealComposition
from bacalhau.simulation.run import run_seed

if TYPE_CHECKING:
    from bacalhau.compute.service import ComputeNode
    from bacalhau.orchestrator.service import Orchestrator
    from bacalhau.ports import Clock
    from bacalhau.simulation.scenario import NodePlan

EVERY_SECONDS = 40
BACK_SECONDS = 3600


class _Unreliable:
    """A machine whose date is set back by an hour again and again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def now_ns(self) -> int:
        steps = int(self._clock.monotonic() // EVERY_SECONDS)
        return self._clock.now_ns() - steps * BACK_SECONDS * 10**9

    def monotonic(self) -> float:
        return self._clock.monotonic()


class _OnUnreliableMachines(RealComposition):
    """The clocks of production over such machines."""

    def __init__(self, told: list[float]) -> None:
        self._told = told

    def orchestrator(self, *, clock: Clock, **seams: Any) -> Orchestrator:
        return super().orchestrator(clock=self._steady(clock), **seams)

    def compute_node(self, plan: NodePlan, *, clock: Clock, **seams: Any) -> ComputeNode:
        return super().compute_node(plan, clock=self._steady(clock), **seams)

    def _steady(self, clock: Clock) -> Clock:
        return SteadyClock(_Unreliable(clock), self._told.append)


@pytest.mark.parametrize("first", [0, 20])
def test_no_promise_is_broken_and_it_is_told(first: int) -> None:
    told: list[float] = []
    for seed in range(first, first + 20):
        verdict = run_seed(seed, _OnUnreliableMachines(told))
        assert verdict.violation is None, verdict.report()
    assert told
