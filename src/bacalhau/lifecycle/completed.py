"""What decisions know of executions that completed.

A counted job may have thousands of them, and they never change again. A decision that carried each
along would cost more with every one that is done; so it has their sum, and records of the others.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from bacalhau.models import NodeID

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bacalhau.models import Execution


class Completed(msgspec.Struct, frozen=True, kw_only=True):
    """The executions of one job that completed, all together.

    Attributes:
        partitions: Which of the job's partitions are done.
        by_node: How many completed on each node that has any.
        listings: The digests by target of the listings that they have gone by. All have gone by the
            same (``lifecycle.listings``), so those of any one are those of all.
    """

    partitions: frozenset[int] = frozenset()
    by_node: dict[NodeID, int] = msgspec.field(default_factory=dict)
    listings: dict[str, str] = msgspec.field(default_factory=dict)

    @classmethod
    def of(cls, executions: Iterable[Execution]) -> Completed:
        """Sum up those of some executions that completed."""
        done = [run for run in executions if run.is_completed]
        return cls(
            partitions=frozenset(run.partition_index for run in done),
            by_node=dict(Counter(run.node_id for run in done)),
            listings=next((run.listings for run in done), {}),
        )

    @property
    def count(self) -> int:
        """How many executions completed."""
        return sum(self.by_node.values())

    def plus(self, more: Completed) -> Completed:
        """Return the sum of this and of other executions of the same job."""
        if not more.by_node:
            return self
        return Completed(
            partitions=self.partitions | more.partitions,
            by_node=dict(Counter(self.by_node) + Counter(more.by_node)),
            listings=self.listings or more.listings,
        )
