"""The table that all measurements end in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

ELSEWHERE = (
    "v1.5.2 elsewhere: taken earlier, on another machine of 2 cores and 24 GiB, in the same way.\n"
    "It says what to expect; only what stands beside it in one run can be compared."
)


class Beside(NamedTuple):
    """What a figure is compared with, taken in the same run."""

    name: str
    figure: float


class Goal(NamedTuple):
    """What a figure should be: ``sign`` is ``<=`` or ``>=``; ``of_ratio`` judges the ratio."""

    sign: str
    value: float
    of_ratio: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One figure.

    Attributes:
        original: The same of v1.5.2, where it was started in this run.
        elsewhere: What v1.5.2 took on another machine.
    """

    what: str
    figure: float
    unit: str
    beside: Beside | None = None
    goal: Goal | None = None
    original: float | None = None
    elsewhere: str = ""

    @property
    def ratio(self) -> float | None:
        """The figure as a multiple of what stands beside it."""
        if self.beside is None or not self.beside.figure:
            return None
        return self.figure / self.beside.figure

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        value = self.ratio if self.goal.of_ratio else self.figure
        assert value is not None, f"{self.what}: a goal for a ratio without one"
        return value <= self.goal.value if self.goal.sign == "<=" else value >= self.goal.value


def render(rows: list[Row]) -> str:
    """Return the table as text; the columns of v1.5.2 stand in it where they say something."""
    columns = {
        "what": [row.what for row in rows],
        "figure": [f"{_number(row.figure)} {row.unit}" for row in rows],
        "beside it": [_beside(row.beside, row.unit) for row in rows],
        "ratio": ["" if row.ratio is None else f"{_number(row.ratio)} x" for row in rows],
        "goal": [_goal(row.goal, row.unit) for row in rows],
        "met": [{True: "yes", False: "NO", None: ""}[row.is_met] for row in rows],
    }
    if any(row.original is not None for row in rows):
        columns["v1.5.2 here"] = [_original(row) for row in rows]
    columns["v1.5.2 elsewhere"] = [row.elsewhere for row in rows]
    lines = [list(columns), *map(list, zip(*columns.values(), strict=True))]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    texts = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]
    texts.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*texts, "", ELSEWHERE])


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _beside(beside: Beside | None, unit: str) -> str:
    return "" if beside is None else f"{beside.name}: {_number(beside.figure)} {unit}"


def _goal(goal: Goal | None, unit: str) -> str:
    if goal is None:
        return ""
    return f"{goal.sign} {goal.value:g} {'x' if goal.of_ratio else unit}"


def _original(row: Row) -> str:
    if row.original is None:
        return ""
    ratio = f" ({_number(row.figure / row.original)} x)" if row.original else ""
    return f"{_number(row.original)} {row.unit}{ratio}"
