"""A live Docker engine: what it can run, and how tasks begin, end and are found again."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from bacalhau.engines._disk_limit import disk_limit
from bacalhau.engines.docker.container import Attachment, Owner, container_config
from bacalhau.engines.docker.credentials import Credentials
from bacalhau.engines.docker.daemon import Daemon, connect
from bacalhau.engines.docker.errors import COMPONENT, create_error, translated
from bacalhau.engines.docker.images import Images
from bacalhau.engines.docker.network import Networks, network_problem
from bacalhau.engines.docker.options import DockerOptions
from bacalhau.engines.docker.ownership import Ownership
from bacalhau.engines.docker.removal import Remover
from bacalhau.engines.docker.task import ContainerTask, unbroken
from bacalhau.errors import BacalhauError, Code, ExecutionError, TransientError
from bacalhau.models.decode import ignored_params
from bacalhau.models.specs.docker import DockerParams, read_params

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from contextlib import AbstractAsyncContextManager

    import aiodocker
    from aiodocker.containers import DockerContainer

    from bacalhau.models import ExecutionID, InputSource, Resources, SpecConfig, Task
    from bacalhau.ports import Clock, PluginContext, TaskExit, TaskRun

_OUTPUT_THREADS = 4
_BID_SECONDS = 15.0
"""How long a bid waits for the daemon: one that is as slow as that starts no containers either."""

_AWAY = 'support "docker" at the moment: its Docker daemon does not answer'


class DockerEngine:
    """Runs each task in a container of its own.

    A container carries labels that name node and execution. A task left running by an earlier
    process is found by them, and so is what that process did not clean up.
    """

    outlives_process: ClassVar[bool] = True
    writes_inputs: ClassVar[bool] = True

    def __init__(
        self,
        *,
        owner: Owner,
        docker: aiodocker.Docker,
        clock: Clock,
        options: DockerOptions,
        remover: Remover,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._owner = owner
        self._docker = docker
        self._clock = clock
        self._options = options
        self._remover = remover
        self._pool = pool
        self._lets_go = False
        self._daemon = Daemon(docker, clock)
        self._images = Images(docker, clock, options, Credentials(os.environ, options.logins))
        self._ownership = Ownership(docker, os.geteuid(), os.getegid())
        self._networks = Networks(docker, owner, options.private_networks)

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Judge parameters and return warnings; see ``ports.Plugin``."""
        read_params(spec)
        return ignored_params("engine", DockerParams, spec)

    @classmethod
    @asynccontextmanager
    async def open(cls, context: PluginContext) -> AsyncIterator[DockerEngine]:
        """Make a client of the daemon that the environment names; see ``ports.Plugin``.

        Nothing is asked of the daemon yet; it may start later.

        Raises:
            UserError: code ``ConfigurationError``; ``DOCKER_HOST`` or a setting makes no sense.
        """
        options = DockerOptions.of(context.settings, os.environ)
        owner = Owner(context.node_id, str(context.data_directory.resolve()))
        async with AsyncExitStack() as stack:
            pool = ThreadPoolExecutor(_OUTPUT_THREADS, thread_name_prefix="docker-output")
            stack.callback(pool.shutdown)
            docker = await stack.enter_async_context(connect(os.environ))
            remover = await stack.enter_async_context(
                Remover.open(docker, owner, keeps=options.keeps_containers)
            )
            yield cls(
                owner=owner,
                docker=docker,
                clock=context.clock,
                options=options,
                remover=remover,
                pool=pool,
            )

    @classmethod
    def extra_inputs(cls, engine: SpecConfig) -> Sequence[InputSource]:
        """Return nothing: an image is no input."""
        del engine
        return ()

    async def is_available(self) -> bool:
        """Tell whether there is a daemon; one that does not answer counts for ten minutes more."""
        return await self._daemon.is_available()

    async def refusal(self, task: Task, resources: Resources) -> str:
        """Refuse networks that are not offered, images for other platforms, and all in absence."""
        del resources
        if not await self._daemon.answers(_BID_SECONDS):
            return _AWAY
        if problem := network_problem(task.network):
            return problem
        params = read_params(task.engine)
        wanted = await self._platforms()
        try:
            platforms = await self._images.platforms(
                params.image, wanted, params.pulls, daemon_seconds=_BID_SECONDS
            )
        except TransientError as exc:
            if exc.code == Code.DOCKER_UNAVAILABLE:
                return _AWAY
            raise
        if any(platform in wanted for platform in platforms):
            return ""
        return (
            f"support the available image platforms [{' '.join(platforms)}]"
            f" (supports [{' '.join(wanted)}])"
        )

    async def run(self, run: TaskRun) -> TaskExit:
        """Run a task in a container, or join the one that runs it already; see ``ports.Engine``.

        A daemon that is away is waited for.

        Cancellation: the container gets SIGTERM, SIGKILL after ``Engines.Types.Docker.StopTimeout``
        and is removed. Cancelling once more skips the wait. After ``let_go`` it is left running.
        """
        params = read_params(run.engine)
        await self._remover.settled(run.execution_id)
        was_away = False
        try:
            while True:
                run.sink.reset()
                try:
                    return await self._start_or_join(params, run, was_away=was_away)
                except TransientError as exc:
                    await self._daemon.wait_back(exc)
                    was_away = True
        except asyncio.CancelledError:
            if not self._lets_go:
                await unbroken(self._remover.all_of(run.execution_id))
            raise

    async def holds(self, execution_id: ExecutionID) -> bool:
        """Tell whether there is a container that runs a task, or has run it; see the port.

        A daemon that is away is waited for.
        """
        while True:
            try:
                return await self._remover.holds(execution_id)
            except TransientError as exc:
                await self._daemon.wait_back(exc)

    async def forget(self, execution_id: ExecutionID) -> None:
        """Remove the container and the network of an execution shortly."""
        self._remover.later(execution_id)

    def let_go(self) -> None:
        """Leave containers running from now on."""
        self._lets_go = True

    async def sweep(self, is_live: Callable[[ExecutionID], bool]) -> None:
        """Remove containers and networks of this node whose executions are not live."""
        await self._remover.all_but(is_live)

    async def _start_or_join(
        self, params: DockerParams, run: TaskRun, *, was_away: bool
    ) -> TaskExit:
        """Start the task; join it if its name shows that an earlier process has started it.

        To try first and look for others only then saves a question for each task.
        """
        try:
            return await self._start(params, run)
        except _TakenError:
            container = await self._remover.find_joinable(run.execution_id)
        if container is not None:
            return await self._join(params.image, container, run, was_away=was_away)
        await self._remover.all_of(run.execution_id)
        return await self._start(params, run)

    async def _start(self, params: DockerParams, run: TaskRun) -> TaskExit:
        async with AsyncExitStack() as stack:
            try:
                attachment = await stack.enter_async_context(self._networks.attached(run))
                container = await self._create(params, run, attachment)
            except BacalhauError as exc:
                if exc.code == Code.CONFLICT:
                    raise _TakenError(exc.message) from exc
                raise
            async with self._disk_limit(container, run), self._taken_over(container, run):
                return await self._task(params.image, container, run).start()

    async def _join(
        self, image: str, container: DockerContainer, run: TaskRun, *, was_away: bool
    ) -> TaskExit:
        with translated("look at the container"):
            found = await container.show()
        async with (
            self._networks.rejoined(run, found["Config"].get("Env") or []),
            self._disk_limit(container, run),
            self._taken_over(container, run),
        ):
            was_unseen = was_away or not found["State"].get("Running")
            return await self._task(image, container, run, was_away=was_unseen).join()

    @asynccontextmanager
    async def _taken_over(self, container: DockerContainer, run: TaskRun) -> AsyncIterator[None]:
        """Let the node read and remove what a task wrote that has ended, well or not."""
        try:
            yield
        except ExecutionError:
            await self._ownership.take(container.id, run)
            raise
        await self._ownership.take(container.id, run)

    def _disk_limit(
        self, container: DockerContainer, run: TaskRun
    ) -> AbstractAsyncContextManager[None]:
        async def layer_bytes() -> int:
            with translated("measure the container"):
                return int((await container.show(size="1")).get("SizeRw") or 0)

        return disk_limit(run, self._clock, COMPONENT, layer_bytes)

    def _task(
        self, image: str, container: DockerContainer, run: TaskRun, *, was_away: bool = False
    ) -> ContainerTask:
        return ContainerTask(
            docker=self._docker,
            daemon=self._daemon,
            container=container,
            run=run,
            image=image,
            pool=self._pool,
            grace_seconds=self._options.grace_seconds,
            is_let_go=lambda: self._lets_go,
            was_away=was_away,
        )

    async def _create(
        self, params: DockerParams, run: TaskRun, attachment: Attachment
    ) -> DockerContainer:
        config = container_config(
            self._owner,
            params,
            run,
            attachment=attachment,
            options=self._options,
            daemon=await self._daemon.facts(),
        )
        for volume in run.outputs:
            # The program in the container may be any user.
            volume.path.chmod(0o777)
        name = self._owner.container_name(run.job_id, run.execution_id)
        wanted = await self._platforms()
        await self._images.ensure(params.image, wanted, params.pulls)
        try:
            return await self._request_container(name, config)
        except BacalhauError as exc:
            if exc.code != Code.IMAGE_NOT_FOUND:
                raise
        # It was here a moment ago, and somebody has removed it.
        self._images.forget(params.image)
        await self._images.ensure(params.image, wanted, params.pulls)
        return await self._request_container(name, config)

    async def _request_container(self, name: str, config: dict[str, Any]) -> DockerContainer:
        # A container whose creation is broken off may appear after its removal.
        return await unbroken(self._request(name, config))

    async def _request(self, name: str, config: dict[str, Any]) -> DockerContainer:
        image = str(config["Image"])
        with translated("create the container", lambda exc: create_error(exc, image)):
            return await self._docker.containers.create(config, name=name)

    async def _platforms(self) -> tuple[str, ...]:
        """Return what containers may be for: the daemon's own platform first."""
        own = (await self._daemon.facts()).platform
        return tuple(dict.fromkeys((own, *self._options.extra_platforms)))


class _TakenError(Exception):
    """There is a container or a network with the name that a task's would have."""
