"""Playing many seeds, in several processes."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING

from bacalhau.simulation.composition import RealComposition
from bacalhau.simulation.run import Verdict, run_seed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def play(seed: int) -> Verdict:
    """Play one seed with the real code."""
    return run_seed(seed, RealComposition())


def play_all(seeds: Sequence[int], workers: int) -> Iterator[Verdict]:
    """Play all seeds and yield their verdicts in order."""
    if workers < 2 or len(seeds) < 2:
        yield from map(play, seeds)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        yield from pool.map(play, seeds, chunksize=5)
