"""Nodes as the orchestrator knows them (spec api.md 1.13, 1.14)."""

from __future__ import annotations

import enum

import msgspec

from bacalhau.models._naming import Model, always, always_dict, always_list
from bacalhau.models.ids import NodeID
from bacalhau.models.resources import Resources


class NodeType(enum.StrEnum):
    """Compute and hybrid nodes are ``Compute``; an orchestrator alone is ``Requester``."""

    REQUESTER = "Requester"
    COMPUTE = "Compute"


class Membership(enum.StrEnum):
    """Whether the operator lets a node take work."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    REJECTED = "REJECTED"


class Connection(enum.StrEnum):
    """Whether heartbeats arrive."""

    CONNECTED = "CONNECTED"
    DISCONNECTED = "DISCONNECTED"


class BuildVersionInfo(Model, frozen=True, kw_only=True, omit_defaults=True):
    """Which program answers. ``git_version`` is a semantic version with a leading ``v``."""

    major: str = ""
    minor: str = ""
    git_version: str = always("")
    git_commit: str = always("")
    build_date: str = always("0001-01-01T00:00:00Z")
    goos: str = always("")
    goarch: str = always("")


class ComputeNodeInfo(Model, frozen=True, kw_only=True):
    """What a compute node offers, and how much of it is free."""

    execution_engines: list[str] = always_list()
    publishers: list[str] = always_list()
    storage_sources: list[str] = always_list()
    max_capacity: Resources = msgspec.field(default_factory=Resources)
    queue_capacity: Resources = msgspec.field(default_factory=Resources)
    available_capacity: Resources = msgspec.field(default_factory=Resources)
    max_job_requirements: Resources = msgspec.field(default_factory=Resources)
    running_executions: int = always(0)
    enqueued_executions: int = always(0)


class NodeInfo(Model, frozen=True, kw_only=True, omit_defaults=True):
    """What a node tells of itself."""

    node_id: NodeID
    node_type: NodeType
    labels: dict[str, str] = always_dict()
    supported_protocols: list[str] = always_list()
    compute_node_info: ComputeNodeInfo | None = None
    bacalhau_version: BuildVersionInfo = msgspec.field(default_factory=BuildVersionInfo)


class NodeState(Model, frozen=True, kw_only=True):
    """A node with what the orchestrator thinks of it."""

    info: NodeInfo
    membership: Membership
    connection: Connection
