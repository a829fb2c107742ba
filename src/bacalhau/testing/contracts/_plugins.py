"""A node for plug-ins under test."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.config import Settings
from bacalhau.lib.clock import SystemClock
from bacalhau.lib.ids import RandomIds
from bacalhau.models import NodeID
from bacalhau.ports import PluginContext

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bacalhau.config.keys import Value

# Free ports, so that suites can run beside each other and beside a node; S3 servers on loopback.
_SETTINGS: dict[str, Value] = {
    "Publishers.Types.Local.Port": 0,
    "Compute.AllowListedS3Endpoints": ("http://127.0.0.1:*",),
}


def node_context(directory: Path, settings: Mapping[str, Value] | None = None) -> PluginContext:
    """Return the context of a node whose files are below ``directory``."""
    return PluginContext(
        node_id=NodeID("n-contract"),
        data_directory=directory,
        settings=Settings({**_SETTINGS, **(settings or {})}),
        clock=SystemClock(),
        ids=RandomIds(),
    )
