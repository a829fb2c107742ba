"""Removing what a task leaves in the daemon (spec engines.md 2.10)."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiodocker
import aiohttp
import structlog

from bacalhau.engines.docker.container import EXECUTION_LABEL, HOST_NETWORK, NO_NETWORK
from bacalhau.engines.docker.daemon import CONNECT_SECONDS
from bacalhau.engines.docker.errors import translated
from bacalhau.errors import BacalhauError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from aiodocker.containers import DockerContainer

    from bacalhau.engines.docker.container import Owner
    from bacalhau.models import ExecutionID

_log = structlog.get_logger(__name__)

_REMOVE_SECONDS = 30.0
_NEVER_STARTED = frozenset({"created", "dead", "removing"})
_SHARED = frozenset({NO_NETWORK, HOST_NETWORK})
_GONE = frozenset({404, 409})
"""No such thing, and removal in progress."""


class Remover:
    """Finds and removes containers and networks of this node, by their labels.

    What a task leaves that ended by itself is removed while its results are told already. With
    ``keeps`` nothing is removed that has run.
    """

    def __init__(
        self, docker: aiodocker.Docker, owner: Owner, group: asyncio.TaskGroup, *, keeps: bool
    ) -> None:
        self._docker = docker
        self._owner = owner
        self._group = group
        self._keeps = keeps
        self._pending: dict[ExecutionID, asyncio.Task[None]] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls, docker: aiodocker.Docker, owner: Owner, *, keeps: bool
    ) -> AsyncIterator[Remover]:
        """Live; leaving waits until everything is removed that was to be."""
        async with asyncio.TaskGroup() as group:
            yield cls(docker, owner, group, keeps=keeps)

    def later(self, execution_id: ExecutionID) -> None:
        """Remove everything of an execution soon, whatever happens to the caller."""
        task = self._group.create_task(self.all_of(execution_id))
        self._pending[execution_id] = task
        task.add_done_callback(lambda _: self._pending.pop(execution_id, None))

    async def settled(self, execution_id: ExecutionID) -> None:
        """Wait until what was to be removed of an execution is."""
        if pending := self._pending.get(execution_id):
            await asyncio.wait([pending])

    async def all_of(self, execution_id: ExecutionID) -> None:
        """Remove everything of an execution; what cannot be removed is left to the sweep."""
        if self._keeps:
            return
        try:
            await self._remove_task(self._labels(execution_id))
        except BacalhauError as exc:
            _log.warning("container_not_removed", execution_id=execution_id, error=exc.message)

    async def all_but(self, is_live: Callable[[ExecutionID], bool]) -> None:
        """Remove what belongs to no live execution of this data directory.

        Raises:
            TransientError: the daemon is unwell.
        """
        if not self._keeps:
            labels = self._owner.own_labels()
            await self._remove_labelled(labels, lambda each: self._is_spared(each, is_live))

    async def holds(self, execution_id: ExecutionID) -> bool:
        """Tell whether there is a container that runs a task, or has run it to its end.

        Raises:
            TransientError: the daemon is unwell.
        """
        found = await self._list(self._labels(execution_id))
        return any(container["State"] not in _NEVER_STARTED for container in found)

    def _is_spared(self, labels: Mapping[str, str], is_live: Callable[[ExecutionID], bool]) -> bool:
        execution_id = self._owner.execution_of(labels)
        return execution_id in self._pending or is_live(execution_id)

    async def find_joinable(self, execution_id: ExecutionID) -> DockerContainer | None:
        """Return a container that runs a task, or has run it to its end; remove all others."""
        joinable = None
        for container in await self._list(self._labels(execution_id)):
            if joinable is None and container["State"] not in _NEVER_STARTED:
                joinable = container
            else:
                await self._remove(container)
        return joinable

    def _labels(self, execution_id: ExecutionID) -> list[str]:
        return [f"{EXECUTION_LABEL}={self._owner.execution_label(execution_id)}"]

    async def _remove_task(self, wanted: list[str]) -> None:
        """Remove the container of a task, and its network if it may have had one of its own."""
        found = await self._list(wanted)
        if found and all(each["HostConfig"]["NetworkMode"] in _SHARED for each in found):
            for container in found:
                await self._remove(container)
        else:
            await self._remove_labelled(wanted, lambda _: False)

    async def _remove_labelled(
        self, wanted: list[str], is_spared: Callable[[Mapping[str, str]], bool]
    ) -> None:
        for container in await self._list(wanted):
            # Asked after listing: what is listed and not live will never be.
            if not is_spared(container["Labels"]):
                await self._remove(container)
        with translated("remove the network"):
            for network in await self._docker.networks.list(filters={"label": wanted}):
                if not is_spared(network["Labels"]):
                    await self._remove_network(network["Id"])

    async def _list(self, wanted: list[str]) -> list[DockerContainer]:
        with translated("list containers"):
            return await self._docker.containers.list(
                all=True, filters=json.dumps({"label": wanted})
            )

    async def _remove(self, container: DockerContainer) -> None:
        limit = aiohttp.ClientTimeout(total=_REMOVE_SECONDS, sock_connect=CONNECT_SECONDS)
        with translated("remove the container"):
            try:
                await container.delete(force=True, v=True, timeout=limit)
            except aiodocker.DockerError as exc:
                if exc.status not in _GONE:
                    raise

    async def _remove_network(self, network: str) -> None:
        try:
            async with self._docker._query(f"networks/{network}", method="DELETE"):
                pass
        except aiodocker.DockerError as exc:
            if exc.status not in _GONE:
                raise
