"""What the roles of one process share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.config import Settings
    from bacalhau.models import NodeID
    from bacalhau.node.plugins import PluginClasses
    from bacalhau.ports import Clock, Ids, Random, Transport


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """One process: its name, its place on disk, and the seams all roles are given."""

    node_id: NodeID
    directory: Path
    settings: Settings
    classes: PluginClasses
    transport: Transport
    clock: Clock
    random: Random
    ids: Ids
