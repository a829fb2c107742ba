"""Comparing what nodes report with what they should run, in clusters where nothing goes wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bacalhau.simulation.composition import RealComposition
from bacalhau.simulation.run import run_scenario
from bacalhau.simulation.scenario import draw_scenario
from bacalhau.testing.network import FAULTLESS

SEEDS = (*range(1, 21), 106)


@pytest.mark.parametrize("seed", SEEDS)
def test_where_nothing_is_lost_nothing_is_offered_again(seed: int) -> None:
    """Reports cross with offers, and with the word of what has ended; both arrive."""
    scenario = replace(draw_scenario(seed), faults=(), network=FAULTLESS)

    verdict = run_scenario(scenario, RealComposition())

    assert verdict.violation is None, verdict.report()
    repairs = ("execution_offered_again", "execution_cancelled_as_stray")
    assert [line for line in verdict.trace if any(repair in line for repair in repairs)] == []
