"""Composing a compute node with its store, its files and its plug-ins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec

from bacalhau.compute.capacity import allocated_capacity, measure_machine
from bacalhau.compute.gpus import find_gpus
from bacalhau.compute.options import ComputeOptions
from bacalhau.compute.service import ComputeNode
from bacalhau.compute.workspace import open_workspace
from bacalhau.lib.build import build_fields
from bacalhau.models import BuildVersionInfo, NodeInfo, NodeType
from bacalhau.node.accounts import regular_accounts
from bacalhau.node.input_cache import open_cache
from bacalhau.node.kept_stores import kept_store
from bacalhau.node.labels import node_labels
from bacalhau.node.plugins import open_plugins
from bacalhau.ports import PluginContext
from bacalhau.store.sqlite import SQLiteExecutionStore

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AsyncExitStack

    from bacalhau.models import GPU
    from bacalhau.node.roles import Host

PROTOCOLS = ["bprotocol/v2", "ncl/v1"]


async def start_compute(
    host: Host, stack: AsyncExitStack, *, leaves_tasks: bool = True
) -> ComputeNode:
    """Start a compute node within ``stack``; return it.

    ``leaves_tasks`` False: no later process will use its directory, so it stops all tasks when it
    ends.

    Raises:
        UserError: a plug-in cannot be opened, or the store cannot.
    """
    directory = host.directory / "compute"
    directory.mkdir(mode=0o700, exist_ok=True)
    cache = await open_cache(directory / "cache", host, stack)
    context = PluginContext(
        node_id=host.node_id,
        data_directory=host.directory,
        settings=host.settings,
        clock=host.clock,
        ids=host.ids,
        cache=cache,
    )
    store = await stack.enter_async_context(
        kept_store(host.directory, "compute/executions.db", SQLiteExecutionStore.open)
    )
    plugins = await open_plugins(host.classes, context, stack)
    gpus = await find_gpus()
    workspace = await stack.enter_async_context(
        open_workspace(directory / "executions", host.clock)
    )
    node = ComputeNode(
        info=_info(host, gpus),
        capacity=allocated_capacity(measure_machine(directory, gpus), host.settings),
        store=store,
        transport=host.transport,
        engines=plugins.engines,
        sources=plugins.sources,
        publishers=plugins.publishers,
        workspace=workspace,
        clock=host.clock,
        random=host.random,
        ids=host.ids,
        cache=cache,
        options=replace(ComputeOptions.of(host.settings), leaves_tasks=leaves_tasks),
    )
    await stack.enter_async_context(node.run())
    interval = host.settings.seconds("Logging.LogDebugInfoInterval")
    await stack.enter_async_context(regular_accounts(node, host.node_id, interval))
    return node


def _info(host: Host, gpus: Sequence[GPU]) -> NodeInfo:
    return NodeInfo(
        node_id=host.node_id,
        node_type=NodeType.COMPUTE,
        labels=node_labels(host.settings, gpus),
        supported_protocols=PROTOCOLS,
        bacalhau_version=msgspec.convert(build_fields(), BuildVersionInfo),
    )
