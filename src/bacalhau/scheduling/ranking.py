"""Which of the suitable nodes to prefer (spec orchestration.md 3.2).

A node that has the job's inputs goes before all others that can start it at once. Else, and among
nodes that are equally near to the data, points decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bacalhau.models.selectors import matches
from bacalhau.scheduling.feasibility import Attempts, Verdict, judge
from bacalhau.scheduling.locality import NEGLIGIBLE_BYTES, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bacalhau.models import NodeID, Resources
    from bacalhau.scheduling.cluster import NodeView
    from bacalhau.scheduling.locality import Patience, Share, Stock
    from bacalhau.scheduling.requirements import Requirements

_UNUSED_NODE = 30
_FAVOURED = 10
_CAPACITY = 80
_CHANCE = 5
_WAITS_MAX = 16
"""How many executions of a job are kept waiting before the others are not looked at any more."""


class Choice(NamedTuple):
    """Where executions are to run.

    Attributes:
        placed: A node for each partition that has found one, in order.
        awaited: Nodes that executions are better kept waiting for, although others have room.
        verdicts: On all nodes before the last choice, or after it when there are fewer choices than
            wanted: then they say why.
    """

    placed: Sequence[tuple[int, NodeView]]
    awaited: Sequence[Wait]
    verdicts: Sequence[Verdict]


class Chooser:
    """Chooses nodes for the executions of one job, one after another. Used once.

    Args:
        nodes: All that may take work.
        wanted: What the job asks of them.
        attempts: What became of the job on each so far.
        stock: What they have of its inputs.
        patience: How long it may wait for one that has them.
        draw: Gives numbers from 0 to 1.
    """

    def __init__(
        self,
        nodes: Sequence[NodeView],
        wanted: Requirements,
        attempts: Mapping[NodeID, Attempts],
        *,
        stock: Stock,
        patience: Patience,
        draw: Callable[[], float],
    ) -> None:
        self._pool = {node.node_id: node for node in nodes}
        self._wanted = wanted
        self._attempts = dict(attempts)
        self._stock = stock
        self._patience = patience
        self._draw = draw
        self._verdicts = judge(nodes, wanted, attempts)

    def choose(self, partitions: Iterable[int]) -> Choice:
        """Choose a node for each partition, as far as there are; several may get the same."""
        placed: list[tuple[int, NodeView]] = []
        awaited: list[Wait] = []
        taken: NodeView | None = None
        for index in partitions:
            if taken is not None:
                self._take(taken)
                taken = None
            suitable = [verdict.node for verdict in self._verdicts if not verdict.reason]
            if not suitable or len(awaited) == _WAITS_MAX:
                break
            share = self._stock.share(index)
            best = self._best_of(self._nearest(suitable, share) if share else suitable)
            wait = self._better_later(best, share) if share else None
            if wait is not None:
                awaited.append(wait)
                continue
            placed.append((index, best))
            taken = best
        return Choice(placed, awaited, self._verdicts)

    def _take(self, node: NodeView) -> None:
        booked = node.booked + self._wanted.resources
        self._pool[node.node_id] = msgspec.structs.replace(node, booked=booked)
        before = self._of(node)
        self._attempts[node.node_id] = before._replace(live=before.live + 1)
        self._verdicts = judge(self._pool.values(), self._wanted, self._attempts)

    def _best_of(self, suitable: Sequence[NodeView]) -> NodeView:
        wanted = self._wanted
        free = [_weight(node.capacity - node.booked, wanted.resources) for node in suitable]
        most = max(free)

        def rank(place: int) -> float:
            node = suitable[place]
            points = _UNUSED_NODE if node.node_id not in self._attempts else 0
            if wanted.favours and matches(wanted.favours, node.labels):
                points += _FAVOURED
            share = _CAPACITY * free[place] / most if most else 0
            return points + share + _CHANCE * self._draw()

        return suitable[max(range(len(suitable)), key=rank)]

    def _nearest(self, suitable: Sequence[NodeView], share: Share) -> Sequence[NodeView]:
        """Return the nodes that lack least, of those that start the job at once if there are any.

        A node on which the job has failed comes last, whatever it has.
        """
        fresh = [node for node in suitable if not self._of(node).discarded] or suitable
        idle = [node for node in fresh if self._has_room(node)] or fresh
        least = min(share.lacking[node.node_id] for node in idle)
        return [node for node in idle if share.lacking[node.node_id] <= least + NEGLIGIBLE_BYTES]

    def _has_room(self, node: NodeView) -> bool:
        """Tell whether a node would start the job now, and not put it into its own queue."""
        return (node.booked + self._wanted.resources).fits_into(node.capacity)

    def _better_later(self, best: NodeView, share: Share) -> Wait | None:
        """Return a node without room that is worth waiting for rather than to take the best."""
        lacking = share.lacking
        full = [
            verdict.node
            for verdict in self._verdicts
            if verdict.may_queue and not self._of(verdict.node).discarded
        ]
        if not full:
            return None
        nearest = min(full, key=lambda node: lacking[node.node_id])
        saved_bytes = lacking[best.node_id] - lacking[nearest.node_id]
        if not self._patience.lasts(saved_bytes):
            return None
        return Wait(nearest, share.held[nearest.node_id], saved_bytes)

    def _of(self, node: NodeView) -> Attempts:
        return self._attempts.get(node.node_id, Attempts())


def _weight(amount: Resources, wanted: Resources) -> float:
    """Weigh free capacity by what the job asks most of (cores, MB, GB, GPUs)."""
    asked = (wanted.cpu, wanted.memory / 1e6, wanted.disk / 1e9, float(wanted.gpu))
    total = sum(asked)
    weights = tuple(part / total for part in asked) if total else (0.4, 0.3, 0.2, 0.1)
    have = (amount.cpu, amount.memory / 1e6, amount.disk / 1e9, float(amount.gpu))
    return sum(weight * part for weight, part in zip(weights, have, strict=True))
