"""What a node tells of its inside, for people who look for a fault (spec api.md 3.1)."""

from __future__ import annotations

import msgspec

from bacalhau.models._naming import Model, always, always_list
from bacalhau.models.ids import ExecutionID, JobID, NodeID
from bacalhau.models.node import NodeState
from bacalhau.models.resources import AllocatedResources


class ActiveExecution(Model, frozen=True, kw_only=True):
    """An execution that a compute node has not ended."""

    execution_id: ExecutionID
    job_id: JobID
    state: str = always("")
    allocated_resources: AllocatedResources


class InputCacheState(Model, frozen=True, kw_only=True):
    """What the cache of inputs holds, and what it did since the node started.

    ``hits`` and ``misses`` count files; ``damaged`` are those that had to be fetched anew because
    their bytes had changed on the disk.
    """

    limit_bytes: int = always(0)
    size_bytes: int = always(0)
    objects: int = always(0)
    hits: int = always(0)
    misses: int = always(0)
    evicted: int = always(0)
    damaged: int = always(0)


class ComputeDebug(Model, frozen=True, kw_only=True):
    """What a compute node does, and how many executions it has completed since it started."""

    active_jobs: list[ActiveExecution] = always_list()
    jobs_completed: int = always(0, name="jobsCompleted")
    input_cache: InputCacheState | None = None


class AgentDebug(Model, frozen=True, kw_only=True, omit_defaults=True):
    """What a node does and knows; what belongs to a role that it does not have is left out.

    ``held_inputs``: how many bytes of the inputs that were used lately each node is known to have.
    """

    active_jobs: list[ActiveExecution] | None = None
    discovered_nodes: list[NodeState] = always_list()
    held_inputs: dict[NodeID, int] = {}
    jobs_completed: int | None = msgspec.field(default=None, name="jobsCompleted")
    input_cache: InputCacheState | None = None
