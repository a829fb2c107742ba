"""Play many seeds and report what breaks: ``python -m bacalhau.simulation --seeds 500``."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING

from bacalhau.simulation.coverage import Feature, table
from bacalhau.simulation.seeds import play_all

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the seeds and return the exit status: 1 when a promise was broken."""
    options = _parse(arguments)
    began = time.perf_counter()
    outcomes: Counter[str] = Counter()
    features: Counter[Feature] = Counter()
    broken = 0
    digests = hashlib.sha256()
    for verdict in play_all(range(options.first, options.first + options.seeds), options.workers):
        outcomes.update(verdict.outcome)
        features.update(verdict.features)
        digests.update(verdict.digest.encode())
        if options.trace:
            print("\n".join(verdict.trace))
        if verdict.violation is not None:
            broken += 1
        if verdict.violation is not None or options.seeds == 1:
            print(verdict.report(), flush=True)
    seconds = time.perf_counter() - began
    ended = ", ".join(f"{count} {state}" for state, count in sorted(outcomes.items()))
    if options.coverage:
        print(table(features, options.seeds))
    print(
        f"{options.seeds} seeds in {seconds:.1f} s, {broken} with a violation; jobs: {ended}; "
        f"traces {digests.hexdigest()[:16]}"
    )
    return 1 if broken else 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bacalhau.simulation",
        description="Play clusters with faults from seeds and report every broken promise.",
    )
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds to play")
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--workers", type=int, default=2, help="how many processes to use")
    parser.add_argument(
        "--coverage", action="store_true", help="tell in how many seeds what happened"
    )
    parser.add_argument("--trace", action="store_true", help="print everything that happens")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
