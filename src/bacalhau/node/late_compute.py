"""A compute node that starts while the API of its process answers already."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from bacalhau.api.handlers import Intake
    from bacalhau.compute.service import ComputeNode
    from bacalhau.models.api import PutJobResponse, StopJobResponse
    from bacalhau.models.debug import ComputeDebug
    from bacalhau.node.roles import Host


class LateCompute:
    """Loads and starts a compute node within ``stack``."""

    def __init__(self, host: Host, stack: AsyncExitStack) -> None:
        self._host = host
        self._stack = stack
        self._node: asyncio.Future[ComputeNode] = asyncio.get_running_loop().create_future()

    async def start(self) -> None:
        """Start it; while its modules load, in a thread, the event loop goes on.

        Raises:
            UserError: a plug-in cannot be opened, or the store cannot.
        """
        await asyncio.to_thread(import_module, "bacalhau.node.compute")
        from bacalhau.node.compute import start_compute

        self._node.set_result(await start_compute(self._host, self._stack))

    async def activity(self) -> ComputeDebug:
        """Return what the node does, once it has started."""
        node = await asyncio.shield(self._node)
        return await node.activity()


class PatientIntake:
    """Takes jobs in once ``is_open`` is set.

    Jobs of type ops run on the nodes that are there: one that came before our own would fail.
    """

    def __init__(self, intake: Intake, is_open: asyncio.Event) -> None:
        self._intake = intake
        self._is_open = is_open

    async def submit(self, *arguments: Any, **options: Any) -> PutJobResponse:
        """Store a new job; see ``api.handlers.Intake``."""
        await self._is_open.wait()
        return await self._intake.submit(*arguments, **options)

    async def stop(self, reference: str, reason: str) -> StopJobResponse:
        """Stop a job; see ``api.handlers.Intake``."""
        return await self._intake.stop(reference, reason)
