"""Composing a compute node with its store, its files and its plug-ins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.compute.capacity import allocated_capacity, measure_machine
from bacalhau.compute.options import ComputeOptions
from bacalhau.compute.service import ComputeNode
from bacalhau.compute.workspace import open_workspace
from bacalhau.lib.build import build_fields
from bacalhau.models import BuildVersionInfo, NodeInfo, NodeType
from bacalhau.node.labels import node_labels
from bacalhau.node.plugins import open_plugins
from bacalhau.ports import PluginContext
from bacalhau.store.sqlite import SQLiteExecutionStore

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from bacalhau.node.roles import Host

PROTOCOLS = ["bprotocol/v2", "ncl/v1"]


async def start_compute(host: Host, stack: AsyncExitStack) -> ComputeNode:
    """Start a compute node within ``stack``; return it.

    Raises:
        UserError: a plug-in cannot be opened, or the store cannot.
    """
    directory = host.directory / "compute"
    directory.mkdir(mode=0o700, exist_ok=True)
    context = PluginContext(
        node_id=host.node_id,
        data_directory=host.directory,
        settings=host.settings,
        clock=host.clock,
        ids=host.ids,
    )
    store = await stack.enter_async_context(SQLiteExecutionStore.open(directory / "executions.db"))
    plugins = await open_plugins(host.classes, context, stack)
    workspace = await stack.enter_async_context(
        open_workspace(directory / "executions", host.clock)
    )
    node = ComputeNode(
        info=_info(host),
        capacity=allocated_capacity(measure_machine(directory), host.settings),
        store=store,
        transport=host.transport,
        engines=plugins.engines,
        sources=plugins.sources,
        publishers=plugins.publishers,
        workspace=workspace,
        clock=host.clock,
        random=host.random,
        ids=host.ids,
        options=ComputeOptions.of(host.settings),
    )
    await stack.enter_async_context(node.run())
    return node


def _info(host: Host) -> NodeInfo:
    return NodeInfo(
        node_id=host.node_id,
        node_type=NodeType.COMPUTE,
        labels=node_labels(host.settings),
        supported_protocols=PROTOCOLS,
        bacalhau_version=msgspec.convert(build_fields(), BuildVersionInfo),
    )
