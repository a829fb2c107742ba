"""A live WebAssembly engine: finding modules, running tasks in threads, stopping them."""

from __future__ import annotations

import asyncio
import posixpath
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, ClassVar

from bacalhau.engines._disk_limit import disk_limit
from bacalhau.engines.wasm.files import plan_preopens
from bacalhau.engines.wasm.modules import COMPONENT, CompiledModules, only_file
from bacalhau.engines.wasm.task import Interrupt, WasmTask, run_task
from bacalhau.errors import Code, ExecutionError, TransientError
from bacalhau.lib.paths import clean_relative
from bacalhau.models.decode import ignored_params
from bacalhau.models.specs.wasm import (
    WasmParams,
    import_name,
    read_params,
)
from bacalhau.ports import TaskExit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from bacalhau.models import ExecutionID, InputSource, Resources, SpecConfig, Task
    from bacalhau.ports import Clock, PluginContext, TaskRun, Volume

MEMORY_LIMIT_BYTES = 2**32
_RUNS = 64
_COMPILERS = 8
_STOP_SECONDS = 10.0
_LEGACY_EXIT_CODE = -1


class WasmEngine:
    """Runs modules for WASI preview 1, each in a thread of a bounded pool.

    A module runs at full speed outside the interpreter's lock. Nothing of it is kept afterwards
    but its compiled code.
    """

    outlives_process: ClassVar[bool] = False
    writes_inputs: ClassVar[bool] = False

    def __init__(
        self,
        directory: Path,
        clock: Clock,
        modules: CompiledModules,
        runners: ThreadPoolExecutor,
        pumps: ThreadPoolExecutor,
    ) -> None:
        self._roots = directory / "roots"
        self._empty = directory / "empty"
        self._empty.mkdir(parents=True, exist_ok=True)
        self._clock = clock
        self._modules = modules
        self._runners = runners
        self._pumps = pumps
        self._running: dict[ExecutionID, Interrupt] = {}
        self._silent_exit_code = 0

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Judge parameters and return warnings; see ``ports.Plugin``."""
        read_params(spec)
        return ignored_params("engine", WasmParams, spec)

    @classmethod
    @asynccontextmanager
    async def open(cls, context: PluginContext) -> AsyncIterator[WasmEngine]:
        """Make a live engine; leaving stops what still runs, and waits for its threads.

        Its files are in ``engines/wasm`` below the node's data directory.
        """
        directory = context.data_directory / "engines" / "wasm"
        async with AsyncExitStack() as stack:
            runners = await stack.enter_async_context(_pool("wasm-run", _RUNS))
            pumps = await stack.enter_async_context(_pool("wasm-output", _RUNS))
            compilers = await stack.enter_async_context(_pool("wasm-compile", _COMPILERS))
            modules = CompiledModules(directory / "compiled", compilers)
            modules.clear()
            engine = cls(directory, context.clock, modules, runners, pumps)
            if context.settings.flag("Engines.Types.WASM.LegacyExitCode"):
                engine._silent_exit_code = _LEGACY_EXIT_CODE
            stack.callback(engine._interrupt_all)
            yield engine

    @classmethod
    def extra_inputs(cls, engine: SpecConfig) -> Sequence[InputSource]:
        """Return the sources of modules, with targets that no task sees."""
        return read_params(engine).own_inputs()

    async def is_available(self) -> bool:
        """Tell that modules can run: the runtime is part of this program."""
        return True

    async def refusal(self, task: Task, resources: Resources) -> str:
        """Refuse what no module can have: more than 4 GiB of memory, or a GPU."""
        del task
        if resources.memory > MEMORY_LIMIT_BYTES:
            return (
                "run WASM modules with so much memory: requested memory exceeds the wasm limit - "
                f"{resources.memory / 2**30:.2f} GB > {MEMORY_LIMIT_BYTES / 2**30:.2f} GB"
            )
        return "give GPUs to WASM modules" if resources.gpu else ""

    async def run(self, run: TaskRun) -> TaskExit:
        """Run a module to its end; see ``ports.Engine``.

        Cancellation: the module is stopped at the next instruction that it may be stopped at,
        which is microseconds away, or woken from its sleep.
        """
        params = read_params(run.engine)
        run.sink.reset()
        interrupt = self._running[run.execution_id] = Interrupt()
        try:
            async with AsyncExitStack() as stack:
                compiled = [
                    await stack.enter_async_context(
                        self._modules.lend(find_module(target, module, run.inputs))
                    )
                    for target, module in params.modules()
                ]
                task = self._prepare(params, run, compiled)
                future = self._runners.submit(run_task, task, interrupt, self._clock, self._pumps)
                async with disk_limit(run, self._clock, COMPONENT):
                    return TaskExit(exit_code=await _wait(future, interrupt))
        finally:
            del self._running[run.execution_id]

    async def holds(self, execution_id: ExecutionID) -> bool:
        """Say no: a module never outlives its process."""
        del execution_id
        return False

    async def forget(self, execution_id: ExecutionID) -> None:
        """Do nothing: what a run needs is removed when it ends."""

    def let_go(self) -> None:
        """Do nothing: a module cannot outlive its process."""

    async def sweep(self, is_live: Callable[[ExecutionID], bool]) -> None:
        """Remove directories that an earlier process left."""
        del is_live
        for root in self._roots.glob("*"):
            if root.name not in self._running:
                await asyncio.to_thread(shutil.rmtree, root, ignore_errors=True)

    def _interrupt_all(self) -> None:
        for interrupt in self._running.values():
            interrupt.request()

    def _prepare(self, params: WasmParams, run: TaskRun, compiled: list[Path]) -> WasmTask:
        own = {each.target for each in params.own_inputs()}
        visible = [volume for volume in run.inputs if volume.target not in own]
        is_bare = not visible and not run.outputs
        skeleton = self._empty if is_bare else self._roots / run.execution_id
        preopens, files = plan_preopens(skeleton, visible, run.outputs)
        names = [import_name(module) for module in params.import_modules]
        return WasmTask(
            entry=compiled[0],
            imports=dict(zip(names, compiled[1:], strict=True)),
            function=params.function,
            arguments=tuple(params.parameters),
            env=run.env | params.environment_variables,
            memory_bytes=run.resources.memory,
            skeleton=None if is_bare else skeleton,
            preopens=tuple(preopens),
            files=tuple(files),
            sink=run.sink,
            silent_exit_code=self._silent_exit_code,
        )


def find_module(target: str, module: InputSource | str, inputs: Sequence[Volume]) -> Path:
    """Return the file of a module among the prepared inputs.

    A path may be that of an input, or lie inside one; a directory stands for the only file in it,
    or for the only ``*.wasm`` where the path was given by the user.

    Raises:
        ExecutionError: code ``ModuleNotFound``.
    """
    wanted = _normal(target)
    for volume in sorted(inputs, key=lambda each: len(_normal(each.target)), reverse=True):
        mount = _normal(volume.target)
        if wanted == mount or wanted.startswith(mount.rstrip("/") + "/"):
            inside = wanted.removeprefix(mount).lstrip("/")
            path = volume.path / inside if inside else volume.path
            return only_file(path, "*.wasm" if isinstance(module, str) else "*")
    raise ExecutionError(
        f'no input provides the WebAssembly module "{target}"',
        code=Code.MODULE_NOT_FOUND,
        hint="add an input whose Target is this path, or a directory above it",
        component=COMPONENT,
    )


def _normal(target: str) -> str:
    """Return an absolute path without ``..``; nothing above the root can be reached."""
    try:
        return "/" + clean_relative(target.lstrip("/"))
    except ValueError:
        return posixpath.normpath("/" + target)


async def _wait(future: Future[int], interrupt: Interrupt) -> int:
    """Wait for a run; when cancelled, stop it and wait until it is gone.

    A wait in the kernel that nothing can interrupt, such as for a dead network disk, is given up
    after some seconds; its thread ends when the kernel lets it go.
    """
    done = asyncio.wrap_future(future)
    try:
        return await asyncio.shield(done)
    except ExecutionError as exc:
        if interrupt.requested.is_set():
            raise TransientError(
                "the node closed its WebAssembly engine while the task ran", component=COMPONENT
            ) from exc
        raise
    except asyncio.CancelledError:
        if not future.cancel():
            interrupt.request()
            await asyncio.wait([done], timeout=_STOP_SECONDS)
            if done.done() and not done.cancelled():
                done.exception()  # Seen, so that it is not reported as lost.
        raise


@asynccontextmanager
async def _pool(name: str, threads: int) -> AsyncIterator[ThreadPoolExecutor]:
    pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
    try:
        yield pool
    finally:
        await asyncio.to_thread(pool.shutdown, cancel_futures=True)
