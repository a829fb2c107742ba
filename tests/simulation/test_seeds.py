"""Clusters with faults, from seeds: every promise is kept, and every run can be repeated.

``SIMULATION_SEEDS`` sets how many seeds are played, ``SIMULATION_FIRST_SEED`` where they begin;
``make simulate`` plays 500 in parallel.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from bacalhau.simulation.scenario import FaultKind, draw_scenario
from bacalhau.simulation.seeds import play

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "60"))
FIRST = int(os.environ.get("SIMULATION_FIRST_SEED", "1"))
BLOCK = 10
"""Seeds for each test, so that several test processes share them."""


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, BLOCK))
def test_every_promise_is_kept(first: int) -> None:
    broken = []
    for seed in range(first, min(first + BLOCK, FIRST + SEEDS)):
        verdict = play(seed)
        if verdict.violation is not None:
            broken.append(verdict.report())
    assert not broken, "\n".join(broken)


def test_jobs_end_in_every_way() -> None:
    outcomes: dict[str, int] = {}
    for seed in range(1, 11):
        for state, count in play(seed).outcome.items():
            outcomes[state] = outcomes.get(state, 0) + count
    assert {"Completed", "Failed", "Stopped"} == outcomes.keys()
    assert outcomes["Completed"] > 20


def test_the_same_seed_gives_the_same_trace() -> None:
    first, second = play(7), play(7)
    assert first.trace == second.trace
    assert first.digest == second.digest
    assert first.digest != play(8).digest


def digest_of_ten_seeds(hash_seed: str) -> str:
    """Play ten seeds in a process whose strings hash in a way of its own."""
    ended = subprocess.run(
        [sys.executable, "-m", "bacalhau.simulation", "--seeds", "10", "--workers", "1"],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    found = re.search(r"traces ([0-9a-f]+)", ended.stdout)
    assert found, ended.stdout
    return found[1]


def test_traces_do_not_depend_on_the_process() -> None:
    assert digest_of_ten_seeds("1") == digest_of_ten_seeds("2")


def test_a_report_is_one_line_that_says_how_to_see_it_again() -> None:
    report = play(3).report()
    assert "\n" not in report
    assert report.startswith(f"seed 3 [{draw_scenario(3)}] all promises kept")
    assert "python -m bacalhau.simulation --seeds 1 --first 3 --trace" in report


def test_scenarios_differ_in_every_respect() -> None:
    scenarios = [draw_scenario(seed) for seed in range(1, 101)]
    assert {len(scenario.nodes) for scenario in scenarios} == {1, 2, 3, 4}
    assert {len(scenario.jobs) for scenario in scenarios} >= {1, 10, 20}
    kinds = {fault.kind for scenario in scenarios for fault in scenario.faults}
    assert kinds == set(FaultKind)
    assert draw_scenario(1) == draw_scenario(1)
