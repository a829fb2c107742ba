"""Clusters with faults, from seeds: every promise is kept, and every run can be repeated.

``SIMULATION_SEEDS`` sets how many seeds are played, ``SIMULATION_FIRST_SEED`` where they begin;
``make simulate`` plays 500 in parallel.
"""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from collections import Counter
from typing import NamedTuple

import pytest

from bacalhau.simulation.coverage import Feature, table
from bacalhau.simulation.scenario import FaultKind, draw_scenario
from bacalhau.simulation.seeds import play

SEEDS = int(os.environ.get("SIMULATION_SEEDS", "60"))
FIRST = int(os.environ.get("SIMULATION_FIRST_SEED", "1"))
BLOCK = 10
"""Seeds for each test, so that several test processes share them."""


ENOUGH_FOR_THE_MIX = 150
ENOUGH_FOR_ALL = 2000
RARE = {
    Feature.STRAY,
    Feature.NODE_GHOST,
    Feature.ORCHESTRATOR_GHOST,
    Feature.NODE_CUT,
    Feature.NODE_GONE,
    Feature.NODE_DISK_FULL,
    Feature.NODE_DISK_FAILS,
    Feature.NODE_SYNC_FAILS,
}
"""In fewer than one seed of twenty; so they are only looked for among many."""

COMMON = {
    Feature.BATCH: 0.8,
    Feature.OPS: 0.4,
    Feature.SERVICE: 0.3,
    Feature.DAEMON: 0.25,
    Feature.STOP: 0.6,
    Feature.RETRY: 0.5,
    Feature.EXECUTION_TIMEOUT: 0.3,
    Feature.PRIORITY: 0.3,
    Feature.LOSS: 0.3,
    Feature.NODE_DIES: 0.1,
    Feature.ORCHESTRATOR_DIES: 0.1,
}
"""In which part of the seeds it happens at least."""


class Played(NamedTuple):
    """What is kept of a verdict; traces of thousands would be too much."""

    complaint: str
    outcome: dict[str, int]
    features: frozenset[Feature]


@functools.cache
def played(seed: int) -> Played:
    verdict = play(seed)
    complaint = verdict.report() if verdict.violation is not None else ""
    return Played(complaint, verdict.outcome, verdict.features)


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, BLOCK))
def test_every_promise_is_kept(first: int) -> None:
    seeds = range(first, min(first + BLOCK, FIRST + SEEDS))
    broken = [played(seed).complaint for seed in seeds if played(seed).complaint]
    assert not broken, "\n".join(broken)


def test_every_kind_of_thing_happens() -> None:
    count = max(SEEDS, ENOUGH_FOR_THE_MIX)
    seen: Counter[Feature] = Counter()
    for seed in range(FIRST, FIRST + count):
        seen.update(played(seed).features)
    wanted = set(Feature) if count >= ENOUGH_FOR_ALL else set(Feature) - RARE
    assert wanted <= seen.keys(), table(seen, count)
    too_rare = [feature for feature, part in COMMON.items() if seen[feature] < part * count]
    assert not too_rare, table(seen, count)


def test_jobs_end_in_every_way() -> None:
    outcomes: Counter[str] = Counter()
    for seed in range(1, 11):
        outcomes.update(played(seed).outcome)
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
