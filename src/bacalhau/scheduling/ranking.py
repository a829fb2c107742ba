"""Which of the suitable nodes to prefer (spec orchestration.md 3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.models.selectors import matches
from bacalhau.scheduling.feasibility import Attempts, Verdict, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bacalhau.models import NodeID, Resources
    from bacalhau.scheduling.cluster import NodeView
    from bacalhau.scheduling.requirements import Requirements

_UNUSED_NODE = 30
_FAVOURED = 10
_CAPACITY = 80
_CHANCE = 5


def choose(
    nodes: Sequence[NodeView],
    wanted: Requirements,
    attempts: Mapping[NodeID, Attempts],
    count: int,
    draw: Callable[[], float],
) -> tuple[list[NodeView], list[Verdict]]:
    """Choose up to ``count`` nodes, one for each execution; a node may be chosen more than once.

    Returns the choices in order, and the verdicts on all nodes before the last choice, or after it
    when there are fewer choices than wanted: then they say why.
    """
    chosen: list[NodeView] = []
    pool = {node.node_id: node for node in nodes}
    seen = dict(attempts)
    verdicts = judge(pool.values(), wanted, seen)
    while len(chosen) < count:
        suitable = [verdict.node for verdict in verdicts if not verdict.reason]
        if not suitable:
            break
        best = _best_of(suitable, wanted, seen, draw)
        chosen.append(best)
        if len(chosen) == count:
            break
        pool[best.node_id] = msgspec.structs.replace(best, booked=best.booked + wanted.resources)
        before = seen.get(best.node_id, Attempts())
        seen[best.node_id] = before._replace(live=before.live + 1)
        verdicts = judge(pool.values(), wanted, seen)
    return chosen, verdicts


def _best_of(
    suitable: Sequence[NodeView],
    wanted: Requirements,
    attempts: Mapping[NodeID, Attempts],
    draw: Callable[[], float],
) -> NodeView:
    free = [_weight(node.capacity - node.booked, wanted.resources) for node in suitable]
    most = max(free)

    def rank(place: int) -> float:
        node = suitable[place]
        points = _UNUSED_NODE if node.node_id not in attempts else 0
        if wanted.favours and matches(wanted.favours, node.labels):
            points += _FAVOURED
        return points + (_CAPACITY * free[place] / most if most else 0) + _CHANCE * draw()

    return suitable[max(range(len(suitable)), key=rank)]


def _weight(amount: Resources, wanted: Resources) -> float:
    """Weigh free capacity by what the job asks most of (cores, MB, GB, GPUs)."""
    asked = (wanted.cpu, wanted.memory / 1e6, wanted.disk / 1e9, float(wanted.gpu))
    total = sum(asked)
    weights = tuple(part / total for part in asked) if total else (0.4, 0.3, 0.2, 0.1)
    have = (amount.cpu, amount.memory / 1e6, amount.disk / 1e9, float(amount.gpu))
    return sum(weight * part for weight, part in zip(weights, have, strict=True))
