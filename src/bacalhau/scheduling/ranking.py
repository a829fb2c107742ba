"""Which of the suitable nodes to prefer (spec orchestration.md 3.2).

Nodes on which the job has failed come last, and before them those that would put it into their own
queue. Of the others that which has most of the job's inputs goes first. Else, and among nodes that
are equally near to the data, points decide.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from bacalhau.models.selectors import matches
from bacalhau.scheduling.feasibility import Attempts, judge
from bacalhau.scheduling.locality import NEGLIGIBLE_BYTES, Wait

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from bacalhau.models import NodeID, Resources
    from bacalhau.scheduling.cluster import NodeView
    from bacalhau.scheduling.feasibility import Verdict
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


class _Standing(NamedTuple):
    """How a node stands among others: the least is the best, and no two are alike."""

    has_failed: bool
    is_full: bool
    penalty: float
    place: int

    @property
    def level(self) -> tuple[bool, bool]:
        """What goes before points and nearness to the data."""
        return self.has_failed, self.is_full


class Chooser:
    """Chooses nodes for the executions of one job, one after another. Used once.

    A choice changes what is thought of one node only, so the next one looks at no other again.

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
        self._wanted = wanted
        self._attempts = dict(attempts)
        self._stock = stock
        self._patience = patience
        self._verdicts = {each.node.node_id: each for each in judge(nodes, wanted, attempts)}
        suitable = [each.node for each in self._verdicts.values() if not each.reason]
        self._weigh = _scales(wanted.resources)
        self._most = max((self._weigh(node.capacity - node.booked) for node in suitable), default=0)
        self._chances = {node.node_id: _CHANCE * draw() for node in suitable}
        self._places = {node.node_id: place for place, node in enumerate(suitable)}
        self._standings: dict[NodeID, _Standing] = {}
        self._best_first: list[tuple[_Standing, NodeID]] = []
        for node in suitable:
            self._note(node)

    def choose(self, partitions: Iterable[int]) -> Choice:
        """Choose a node for each partition, as far as there are; several may get the same."""
        placed: list[tuple[int, NodeView]] = []
        awaited: list[Wait] = []
        taken: NodeView | None = None
        for index in partitions:
            if taken is not None:
                self._take(taken)
                taken = None
            if not self._standings or len(awaited) == _WAITS_MAX:
                break
            share = self._stock.share(index)
            best = self._nearest(share) if share else self._best()
            wait = self._better_later(best, share) if share else None
            if wait is not None:
                awaited.append(wait)
                continue
            placed.append((index, best))
            taken = best
        return Choice(placed, awaited, tuple(self._verdicts.values()))

    def _take(self, node: NodeView) -> None:
        """Book an execution on a node, and judge it anew."""
        node_id = node.node_id
        before = self._of(node)
        self._attempts[node_id] = before._replace(live=before.live + 1)
        booked = node.booked + self._wanted.resources
        after = msgspec.structs.replace(node, booked=booked)
        (verdict,) = judge((after,), self._wanted, self._attempts)
        self._verdicts[node_id] = verdict
        if verdict.reason:
            del self._standings[node_id]
        else:
            self._note(after)

    def _note(self, node: NodeView) -> None:
        """Give a suitable node its points; what was noted before counts no more."""
        node_id = node.node_id
        free = node.capacity - node.booked
        standing = self._standings[node_id] = _Standing(
            has_failed=bool(self._of(node).discarded),
            is_full=not self._wanted.resources.fits_into(free),
            penalty=-self._points(node, free),
            place=self._places[node_id],
        )
        heapq.heappush(self._best_first, (standing, node_id))

    def _best(self) -> NodeView:
        """Return the node that stands best."""
        while True:
            standing, node_id = self._best_first[0]
            if self._standings.get(node_id) == standing:
                return self._verdicts[node_id].node
            heapq.heappop(self._best_first)

    def _points(self, node: NodeView, free: Resources) -> float:
        points = _UNUSED_NODE if node.node_id not in self._attempts else 0
        if self._wanted.favours and matches(self._wanted.favours, node.labels):
            points += _FAVOURED
        share = _CAPACITY * self._weigh(free) / self._most if self._most else 0
        return points + share + self._chances[node.node_id]

    def _nearest(self, share: Share) -> NodeView:
        """Return the node that lacks least, of those that stand as well as the best of all."""
        best = self._best()
        level = self._standings[best.node_id].level
        lacking = {
            node_id: share.lacking[node_id]
            for node_id in share.held
            if node_id in self._standings and self._standings[node_id].level == level
        }
        most = min(lacking.values(), default=share.total) + NEGLIGIBLE_BYTES
        if share.total <= most:
            return best
        near = (node_id for node_id in lacking if lacking[node_id] <= most)
        return self._verdicts[min(near, key=self._standings.__getitem__)].node

    def _better_later(self, best: NodeView, share: Share) -> Wait | None:
        """Return a node without room that is worth waiting for rather than to take the best."""
        verdicts = (self._verdicts[node_id] for node_id in share.held)
        full = [
            verdict.node
            for verdict in verdicts
            if verdict.may_queue and not self._of(verdict.node).discarded
        ]
        if not full:
            return None
        nearest = min(full, key=lambda node: share.lacks(node.node_id))
        saved_bytes = share.lacks(best.node_id) - share.lacks(nearest.node_id)
        if not self._patience.lasts(saved_bytes):
            return None
        return Wait(nearest, share.held[nearest.node_id], saved_bytes)

    def _of(self, node: NodeView) -> Attempts:
        return self._attempts.get(node.node_id, Attempts())


def _scales(wanted: Resources) -> Callable[[Resources], float]:
    """Return what weighs capacity by what the job asks most of (cores, MB, GB, GPUs)."""
    asked = (wanted.cpu, wanted.memory / 1e6, wanted.disk / 1e9, float(wanted.gpu))
    total = sum(asked)
    weights = tuple(part / total for part in asked) if total else (0.4, 0.3, 0.2, 0.1)
    cpu, memory, disk, gpu = weights

    def weigh(amount: Resources) -> float:
        have = cpu * amount.cpu + memory * amount.memory / 1e6
        return have + disk * amount.disk / 1e9 + gpu * amount.gpu

    return weigh
