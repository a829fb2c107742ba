"""The Docker engine (spec engines.md 2)."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiodocker
import aiohttp
import structlog

from bacalhau.engines._docker_container import (
    EXECUTION_LABEL,
    EXECUTOR_LABEL,
    Owner,
    container_config,
    network_problem,
)
from bacalhau.engines._docker_daemon import CONNECT_SECONDS, Daemon, connect
from bacalhau.engines._docker_errors import translated
from bacalhau.engines._docker_images import Images
from bacalhau.engines._docker_params import DockerParams, read_params
from bacalhau.engines._docker_task import ContainerTask, unbroken
from bacalhau.errors import BacalhauError
from bacalhau.models.decode import unknown_params

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Sequence

    from aiodocker.containers import DockerContainer

    from bacalhau.models import ExecutionID, InputSource, Resources, SpecConfig, Task
    from bacalhau.ports import PluginContext, TaskExit, TaskRun

_log = structlog.get_logger(__name__)

_OUTPUT_THREADS = 4
_REMOVE_SECONDS = 30.0
_NEVER_STARTED = frozenset({"created", "dead", "removing"})
_GONE = frozenset({404, 409})
"""No such container, and removal in progress."""


class DockerEngine:
    """Runs each task in a container of its own.

    A container carries labels that name node and execution. A task left running by an earlier
    process is found by them, and so is what that process did not clean up.
    """

    def __init__(
        self,
        context: PluginContext,
        docker: aiodocker.Docker,
        images: Images,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._docker = docker
        self._clock = context.clock
        self._owner = Owner(context.node_id)
        self._grace_seconds = context.settings.seconds("Engines.Types.Docker.StopTimeout")
        self._daemon = Daemon(docker, context.clock)
        self._images = images
        self._pool = pool

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Judge parameters and return warnings; see ``ports.Plugin``."""
        read_params(spec)
        unknown = unknown_params(DockerParams, spec)
        return [f'engine docker ignores the unknown parameter "{name}"' for name in unknown]

    @classmethod
    @asynccontextmanager
    async def open(cls, context: PluginContext) -> AsyncIterator[DockerEngine]:
        """Make a client of the daemon that the environment names; see ``ports.Plugin``.

        Nothing is asked of the daemon yet; it may start later.

        Raises:
            UserError: code ``ConfigurationError``; ``DOCKER_HOST`` makes no sense.
        """
        async with AsyncExitStack() as stack:
            pool = ThreadPoolExecutor(_OUTPUT_THREADS, thread_name_prefix="docker-output")
            stack.callback(pool.shutdown)
            docker = await stack.enter_async_context(connect(os.environ))
            yield cls(context, docker, Images(docker, context.clock, os.environ), pool)

    @classmethod
    def extra_inputs(cls, engine: SpecConfig) -> Sequence[InputSource]:
        """Return nothing: an image is no input."""
        del engine
        return ()

    async def is_available(self) -> bool:
        """Tell whether the daemon answers; what it said holds for some seconds."""
        return await self._daemon.is_available()

    async def refusal(self, task: Task, resources: Resources) -> str:
        """Refuse networks that are not offered and images for other platforms."""
        del resources
        if problem := network_problem(task.network):
            return problem
        wanted = (await self._daemon.facts()).platform
        platforms = await self._images.platforms(read_params(task.engine).image, wanted)
        if wanted in platforms:
            return ""
        return (
            f"support the available image platforms [{' '.join(platforms)}] (supports [{wanted}])"
        )

    async def run(self, run: TaskRun) -> TaskExit:
        """Run a task in a container, or join the one that runs it already; see ``ports.Engine``.

        Cancellation: the container gets SIGTERM, SIGKILL after ``Engines.Types.Docker.StopTimeout``
        and is removed. Cancelling once more skips the wait.
        """
        params = read_params(run.engine)
        run.sink.reset()
        try:
            found = await self._find_joinable(run)
            container = found or await self._create(params, run)
            task = ContainerTask(
                docker=self._docker,
                container=container,
                run=run,
                clock=self._clock,
                pool=self._pool,
                grace_seconds=self._grace_seconds,
            )
            return await (task.join() if found else task.start())
        finally:
            await unbroken(self._remove_execution(run.execution_id))

    async def sweep(self, live: Collection[ExecutionID]) -> None:
        """Remove containers of this node whose executions are not ``live``."""
        spared = {self._owner.execution_label(each) for each in live}
        for container in await self._list(f"{EXECUTOR_LABEL}={self._owner.executor}"):
            if container["Labels"].get(EXECUTION_LABEL) not in spared:
                await self._remove(container)

    async def _find_joinable(self, run: TaskRun) -> DockerContainer | None:
        """Return a container that runs this task, or has run it to its end."""
        label = f"{EXECUTION_LABEL}={self._owner.execution_label(run.execution_id)}"
        joinable = None
        for container in await self._list(label):
            if joinable is None and container["State"] not in _NEVER_STARTED:
                joinable = container
            else:
                await self._remove(container)
        return joinable

    async def _create(self, params: DockerParams, run: TaskRun) -> DockerContainer:
        facts = await self._daemon.facts()
        config = container_config(self._owner, params, run, has_init=facts.has_init)
        await self._images.ensure(params.image, facts.platform)
        for volume in run.outputs:
            # The program in the container may be any user.
            volume.path.chmod(0o777)
        name = self._owner.container_name(run.job_id, run.execution_id)
        # A container whose creation is broken off may appear after its removal.
        return await unbroken(self._request_container(name, config))

    async def _request_container(self, name: str, config: dict[str, Any]) -> DockerContainer:
        with translated("create the container"):
            return await self._docker.containers.create(config, name=name)

    async def _list(self, label: str) -> list[DockerContainer]:
        with translated("list containers"):
            return await self._docker.containers.list(
                all=True, filters=json.dumps({"label": [label]})
            )

    async def _remove_execution(self, execution_id: ExecutionID) -> None:
        """Remove everything of an execution; what cannot be removed is left to the sweep."""
        label = f"{EXECUTION_LABEL}={self._owner.execution_label(execution_id)}"
        try:
            for container in await self._list(label):
                await self._remove(container)
        except BacalhauError as exc:
            _log.warning("container_not_removed", execution_id=execution_id, error=exc.message)

    async def _remove(self, container: DockerContainer) -> None:
        limit = aiohttp.ClientTimeout(total=_REMOVE_SECONDS, sock_connect=CONNECT_SECONDS)
        with translated("remove the container"):
            try:
                await container.delete(force=True, v=True, timeout=limit)
            except aiodocker.DockerError as exc:
                if exc.status not in _GONE:
                    raise
