"""One run of a module, in a thread (spec engines.md 3.3, 3.5).

Each run has a wasmtime engine of its own. An engine costs microseconds, and its epoch is what stops
a module from outside: advancing it reaches exactly this run.
"""

from __future__ import annotations

import shutil
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

import wasmtime

from bacalhau.engines.wasm.files import build_skeleton
from bacalhau.engines.wasm.host import WASI, HostCalls
from bacalhau.engines.wasm.modules import COMPONENT
from bacalhau.engines.wasm.output import OutputPipes
from bacalhau.errors import Code, ExecutionError, TransientError
from bacalhau.lib.wasm import new_engine
from bacalhau.ports import Stream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from bacalhau.engines.wasm.files import Preopen
    from bacalhau.ports import Clock, OutputSink

PAGE_BYTES = 65536
_TABLE_ELEMENTS = 1_000_000
_INSTANCES = 1000
_NEARLY_ALL = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class WasmTask:
    """What to run, with everything prepared.

    ``imports`` are compiled modules by the name under which others import them, in the order of
    their start. ``memory_bytes`` 0 means as much as a module can have. ``skeleton`` is made for
    this run; None when nothing is mounted. ``silent_exit_code`` is the result of a module that
    ends without one.
    """

    entry: Path
    imports: dict[str, Path]
    function: str
    arguments: tuple[str, ...]
    env: dict[str, str]
    memory_bytes: int
    skeleton: Path | None
    preopens: tuple[Preopen, ...]
    files: tuple[tuple[Path, Path], ...]
    sink: OutputSink
    silent_exit_code: int = 0


class Interrupt:
    """Stops a run from another thread, whenever that is asked for."""

    def __init__(self) -> None:
        self.requested = threading.Event()
        self._lock = threading.Lock()
        self._engine: wasmtime.Engine | None = None

    def request(self) -> None:
        """Stop the run now, or as soon as it begins."""
        self.requested.set()
        with self._lock:
            if self._engine is not None:
                self._engine.increment_epoch()

    def attach(self, engine: wasmtime.Engine | None) -> None:
        """Name the engine to stop; None once it is gone."""
        with self._lock:
            self._engine = engine


def run_task(task: WasmTask, interrupt: Interrupt, clock: Clock, pumps: ThreadPoolExecutor) -> int:
    """Run a module to its end and return its exit code. Blocks.

    All output is in the sink when this returns or raises. An interrupted run raises whatever the
    interruption looked like to it; the caller knows better.

    Raises:
        ExecutionError: the module could not start, or it trapped.
        TransientError: the disk refuses.
    """
    try:
        with ExitStack() as cleanup:
            if task.skeleton is not None:
                cleanup.callback(shutil.rmtree, task.skeleton, ignore_errors=True)
                # A process that was killed may have left one.
                shutil.rmtree(task.skeleton, ignore_errors=True)
                build_skeleton(task.skeleton, task.preopens, task.files)
            pipes = OutputPipes()
            pump = pumps.submit(pipes.pump, task.sink, interrupt.request)
            # Runs last of all but the removal: raises what went wrong with the sink.
            cleanup.callback(pump.result)
            cleanup.callback(pipes.close_writers)
            return _Run(task, interrupt, clock, pipes, cleanup).execute()
    except OSError as exc:
        raise TransientError(
            f"cannot keep the files or the output of a WebAssembly task: {exc}",
            code=Code.IO,
            component=COMPONENT,
        ) from exc


class _Run:
    def __init__(
        self,
        task: WasmTask,
        interrupt: Interrupt,
        clock: Clock,
        pipes: OutputPipes,
        cleanup: ExitStack,
    ) -> None:
        self._task = task
        self._interrupt = interrupt
        self._pipes = pipes
        self._cleanup = cleanup
        self._engine = cleanup.enter_context(new_engine())
        self._linker = cleanup.enter_context(wasmtime.Linker(self._engine))
        self._store = cleanup.enter_context(wasmtime.Store(self._engine))
        self._host = HostCalls(clock, interrupt.requested)
        self._started: set[str] = set()
        self._memory: wasmtime.Memory | None = None

    def execute(self) -> int:
        self._store.set_epoch_deadline(1)
        self._interrupt.attach(self._engine)
        self._cleanup.callback(self._interrupt.attach, None)
        if self._interrupt.requested.is_set():
            raise ExecutionError("the task was stopped before it began", component=COMPONENT)
        try:
            self._configure()
            self._linker.define_wasi()
            self._host.define(self._linker, self._store)
            for name in self._task.imports:
                self._start_import(name, [])
            self._call_entry()
        except (wasmtime.WasmtimeError, wasmtime.Trap) as exc:
            text = _text_of(exc)
            if self._host.exit_code is None:
                raise _trapped(text, self._memory_told()) from None
        told = self._host.exit_code
        return self._task.silent_exit_code if told is None else told

    def _memory_told(self) -> str:
        """Say how large the memory has become, where that may be why the module trapped."""
        if self._memory is None or not self._task.memory_bytes:
            return ""
        used, limit = self._memory.data_len(self._store), self._task.memory_bytes
        if used < limit * _NEARLY_ALL:
            return ""
        return (
            f"its memory had grown to {used / 1e6:.1f} MB of the {limit / 1e6:.1f} MB that it may"
            " have; if it ran out of it, raise Resources.Memory of the task"
        )

    def _configure(self) -> None:
        task = self._task
        memory_bytes = -(-task.memory_bytes // PAGE_BYTES) * PAGE_BYTES or -1
        self._store.set_limits(
            memory_size=memory_bytes, table_elements=_TABLE_ELEMENTS, instances=_INSTANCES
        )
        # Closed on failure, too: it holds the pipes open, and the pump would wait for their end.
        with wasmtime.WasiConfig() as wasi:
            wasi.argv = ["", *task.arguments]
            wasi.env = sorted(task.env.items())
            wasi.stdout_file = self._pipes.name(Stream.STDOUT)
            wasi.stderr_file = self._pipes.name(Stream.STDERR)
            self._pipes.close_writers()
            for preopen in task.preopens:
                _open_directory(wasi, preopen)
            self._store.set_wasi(wasi)

    def _start_import(self, name: str, importers: list[str]) -> None:
        """Instantiate a module that others import, after those that it imports itself."""
        if name in self._started:
            return
        if name in importers:
            raise ExecutionError(
                f"import modules need each other: {' -> '.join([*importers, name])}",
                code=Code.UNKNOWN_MODULE,
                component=COMPONENT,
            )
        module = self._load(self._task.imports[name])
        self._resolve(module, [*importers, name])
        try:
            instance = self._linker.instantiate(self._store, module)
        except wasmtime.WasmtimeError as exc:
            raise _not_started(f"import module {name}", _text_of(exc)) from None
        self._linker.define_instance(self._store, name, instance)
        self._started.add(name)

    def _call_entry(self) -> None:
        module = self._load(self._task.entry)
        self._resolve(module, [])
        kinds = {each.name: each.type for each in module.exports}
        _check_entry_point(self._task.function, kinds)
        try:
            exports = self._linker.instantiate(self._store, module).exports(self._store)
        except wasmtime.WasmtimeError as exc:
            raise _not_started("entry module", _text_of(exc)) from None
        memory = exports.get("memory")
        self._memory = memory if isinstance(memory, wasmtime.Memory) else None
        calls = [self._task.function]
        if calls != ["_start"] and isinstance(kinds.get("_initialize"), wasmtime.FuncType):
            calls.insert(0, "_initialize")
        for name in calls:
            function = exports[name]
            assert isinstance(function, wasmtime.Func), name
            function(self._store)

    def _load(self, compiled: Path) -> wasmtime.Module:
        try:
            module = wasmtime.Module.deserialize_file(self._engine, str(compiled))
        except wasmtime.WasmtimeError as exc:
            # Made by this process on this machine: only the disk can have lost it.
            raise OSError(f"{compiled}: {_text_of(exc)}") from None
        self._cleanup.callback(module.close)
        return module

    def _resolve(self, module: wasmtime.Module, importers: list[str]) -> None:
        """Start what a module imports, and name what nothing provides.

        Modules without names of their own are welcome (spec corrections.md 8).
        """
        for name in dict.fromkeys(each.module for each in module.imports):
            if name == WASI:
                continue
            known = _known_import(name, self._task.imports)
            if known is None:
                raise _unknown_module(name, self._task.imports)
            self._start_import(known, importers)


def _open_directory(wasi: wasmtime.WasiConfig, preopen: Preopen) -> None:
    try:
        wasi.preopen_dir(str(preopen.host), preopen.guest, preopen.is_writable)
    except wasmtime.WasmtimeError as exc:
        raise OSError(f"{preopen.host}: {_text_of(exc)}") from None


def _known_import(name: str, imports: dict[str, Path]) -> str | None:
    """Find an import module; one given by its path may be named without the first slash."""
    return next((each for each in (name, f"/{name}") if each in imports), None)


def _unknown_module(name: str, imports: dict[str, Path]) -> ExecutionError:
    return ExecutionError(
        f'unknown module "{name}": the WASM module imports it, but only '
        f"{', '.join([WASI, *imports])} can be imported",
        code=Code.UNKNOWN_MODULE,
        hint=f'add a module with the alias "{name}" to ImportModules, or build for wasm32-wasip1',
        component=COMPONENT,
    )


def _check_entry_point(function: str, kinds: Mapping[str, object]) -> None:
    kind = kinds.get(function)
    if isinstance(kind, wasmtime.FuncType) and not kind.params:
        return
    names = sorted(
        name
        for name, each in kinds.items()
        if isinstance(each, wasmtime.FuncType) and not each.params
    )
    problem = f"unable to find the entrypoint '{function}' in the WASM module"
    if isinstance(kind, wasmtime.FuncType):
        problem = f"the entrypoint '{function}' of the WASM module takes parameters"
    raise ExecutionError(
        problem,
        code=Code.ENTRYPOINT,
        hint=f"functions that can be EntryPoint: {', '.join(names[:10]) or 'none'}",
        component=COMPONENT,
    )


def _text_of(exc: wasmtime.WasmtimeError | wasmtime.Trap) -> str:
    """Return the text of an error and free it: its backtrace keeps the module's code mapped."""
    text = str(exc).strip()
    exc.close()
    return text


def _not_started(what: str, text: str) -> ExecutionError:
    is_memory = "memory minimum size" in text
    return ExecutionError(
        f"failed to instantiate {what}: {text}",
        code=Code.MEMORY_LIMIT if is_memory else Code.MODULE_LOAD,
        hint="raise Resources.Memory of the task" if is_memory else "",
        component=COMPONENT,
    )


def _trapped(text: str, hint: str) -> ExecutionError:
    """Tell what happened first and where after it; wasmtime does it the other way round."""
    where, _, why = text.partition("Caused by:")
    message = f"{why.strip()}\n{where.strip()}" if why else where
    return ExecutionError(message, hint=hint, details={"ExitCode": "1"}, component=COMPONENT)
