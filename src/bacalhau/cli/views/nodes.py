"""The list of nodes (spec cli.md 8.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.table import Column, Fit
from bacalhau.models.ids import short_id

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bacalhau.models.node import ComputeNodeInfo, NodeState

_ALWAYS: tuple[Column[NodeState], ...] = (
    Column("id", lambda node: short_id(node.info.node_id)),
    Column("type", lambda node: node.info.node_type),
    Column("approval", lambda node: node.membership),
    Column("status", lambda node: node.connection),
)


def _compute(show: Callable[[ComputeNodeInfo], str]) -> Callable[[NodeState], str]:
    """Return a cell that is empty for nodes that do not compute."""

    def cell(node: NodeState) -> str:
        info = node.info.compute_node_info
        return "" if info is None else show(info)

    return cell


def _labels(node: NodeState) -> str:
    return " ".join(f"{key}={value}" for key, value in sorted(node.info.labels.items()))


def binary_size(size_bytes: int) -> str:
    """Return an amount in powers of 1024 as the original labels them: ``16.4 GB``."""
    value = float(size_bytes)
    for unit in ("B", "KB", "MB", "GB"):
        if value < 1024:
            return f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TB"


_GROUPS: dict[str, tuple[Column[NodeState], ...]] = {
    "labels": (Column("labels", _labels, 50, Fit.SOFT),),
    "version": (
        Column("version", lambda node: node.info.bacalhau_version.git_version),
        Column("architecture", lambda node: node.info.bacalhau_version.goarch),
        Column("os", lambda node: node.info.bacalhau_version.goos),
    ),
    "features": (
        Column("engines", _compute(lambda i: " ".join(i.execution_engines)), 7, Fit.SOFT),
        Column("inputs from", _compute(lambda i: " ".join(i.storage_sources)), 15, Fit.SOFT),
        Column("outputs", _compute(lambda i: " ".join(i.publishers)), 7, Fit.SOFT),
    ),
    "capacity": (
        Column(
            "cpu",
            _compute(lambda i: f"{i.available_capacity.cpu:.1f} / {i.max_capacity.cpu:.1f}"),
            6,
            Fit.SOFT,
        ),
        Column(
            "memory",
            _compute(
                lambda i: (
                    f"{binary_size(i.available_capacity.memory)} / "
                    f"{binary_size(i.max_capacity.memory)}"
                )
            ),
            10,
            Fit.SOFT,
        ),
        Column(
            "disk",
            _compute(
                lambda i: (
                    f"{binary_size(i.available_capacity.disk)} / {binary_size(i.max_capacity.disk)}"
                )
            ),
            11,
            Fit.SOFT,
        ),
        Column(
            "gpu",
            _compute(lambda i: f"{i.available_capacity.gpu} / {i.max_capacity.gpu}"),
            4,
            Fit.SOFT,
        ),
    ),
}


def node_columns(groups: Sequence[str]) -> list[Column[NodeState]]:
    """Return the columns of the wanted groups, in their order; unknown names are left out."""
    return [*_ALWAYS, *(column for group in groups for column in _GROUPS.get(group, ()))]
