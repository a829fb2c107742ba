"""Playing one seed: scenario in, verdict and trace out."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import structlog

from bacalhau.simulation.cluster import END_SECONDS, Cluster, Composition
from bacalhau.simulation.coverage import Feature, reached
from bacalhau.simulation.oracle import Invariant, Violation
from bacalhau.simulation.scenario import Scenario, draw_scenario
from bacalhau.simulation.trace import Trace
from bacalhau.testing.loop import SimulationError, run_simulation

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

COMMAND = "python -m bacalhau.simulation --seeds 1 --first {seed} --trace"
_LIMIT_SECONDS = 2 * END_SECONDS


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What became of one seed.

    Attributes:
        violation: The first broken promise; None when all were kept.
        digest: The hash of the trace.
        trace: What happened, line by line.
        outcome: How many jobs ended in which state.
        features: What happened, in kinds.
        virtual_seconds: How long the cluster lived.
    """

    seed: int
    scenario: Scenario
    violation: Violation | None
    digest: str
    trace: tuple[str, ...]
    outcome: dict[str, int]
    features: frozenset[Feature]
    virtual_seconds: float

    def report(self) -> str:
        """Return one line: what was broken, in which scenario, and how to see it again."""
        found = "all promises kept" if self.violation is None else f"VIOLATION {self.violation}"
        command = COMMAND.format(seed=self.seed)
        return f"seed {self.seed} [{self.scenario}] {found} | {command} | trace {self.digest}"


def run_seed(seed: int, composition: Composition) -> Verdict:
    """Play the scenario of a seed."""
    return run_scenario(draw_scenario(seed), composition)


def run_scenario(scenario: Scenario, composition: Composition) -> Verdict:
    """Play a scenario until it ends or breaks a promise."""
    trace = Trace()
    violations: list[Violation] = []
    with _logging_into(trace):
        try:
            outcome, seconds = run_simulation(
                _play(scenario, composition, trace, violations),
                scenario.seed,
                limit_seconds=_LIMIT_SECONDS,
            )
        except SimulationError as error:
            outcome, seconds = {}, 0.0
            facts, _, details = str(error).partition("\n")
            violations.append(Violation(invariant=Invariant.ALIVE, at=0.0, facts=facts))
            trace.lines.extend(details.splitlines())
    return Verdict(
        seed=scenario.seed,
        scenario=scenario,
        violation=violations[0] if violations else None,
        digest=trace.digest(),
        trace=tuple(trace.lines),
        outcome=outcome,
        features=reached(trace.lines),
        virtual_seconds=seconds,
    )


async def _play(
    scenario: Scenario, composition: Composition, trace: Trace, violations: list[Violation]
) -> tuple[dict[str, int], float]:
    loop = asyncio.get_running_loop()
    accused = asyncio.Event()

    def accuse(invariant: Invariant, facts: str) -> None:
        trace.note(f"VIOLATION {invariant}: {facts}")
        violations.append(Violation(invariant=invariant, at=loop.time(), facts=facts))
        accused.set()

    cluster = Cluster(scenario, composition, trace, accuse)
    async with asyncio.TaskGroup() as tasks:
        play = tasks.create_task(cluster.run())
        watch = tasks.create_task(accused.wait())
        await asyncio.wait({play, watch}, return_when=asyncio.FIRST_COMPLETED)
        play.cancel()
        watch.cancel()
    return cluster.oracle.outcome(), loop.time()


@contextmanager
def _logging_into(trace: Trace) -> Iterator[None]:
    """Turn what the code under test logs into lines of the trace."""

    def note(logger: Any, method: str, event: Mapping[str, Any]) -> NoReturn:
        facts = " ".join(f"{key}={value}" for key, value in event.items() if key != "event")
        trace.note(f"log {method} {event['event']} {facts}")
        raise structlog.DropEvent

    # In place, as structlog's own capture_logs does: loggers hold on to this very list.
    processors = structlog.get_config()["processors"]
    before = list(processors)
    processors[:] = [note]
    try:
        yield
    finally:
        processors[:] = before
