"""Finding, compiling and keeping WebAssembly modules (spec engines.md 3.2).

Compiled code lies in files, because every task runs on an engine of its own (see ``task``):
the system maps one file into all of them, and only once into memory.
"""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections import OrderedDict
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import wasmtime

from bacalhau.errors import BacalhauError, Code, ExecutionError, TransientError
from bacalhau.lib.wasm import new_engine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

COMPONENT = "WASM"
_MAGIC = b"\0asm"
_CORE_VERSION = b"\1\0\0\0"
_MODULE_LIMIT_BYTES = 256 * 2**20
_CACHE_LIMIT_BYTES = 2**30


def only_file(path: Path, pattern: str = "*") -> Path:
    """Return the module in an input: the file itself, or the only match in the directory.

    Raises:
        ExecutionError: code ``ModuleNotFound``; there is none, or more than one.
    """
    if path.is_file():
        return path
    found = sorted(path.glob(pattern)) if path.is_dir() else []
    if len(found) == 1 and found[0].is_file():
        return found[0]
    raise ExecutionError(
        f"a WebAssembly module should be 1 file, but its input has {len(found)}"
        + (f": {', '.join(each.name for each in found[:5])}" if found else ""),
        code=Code.MODULE_NOT_FOUND,
        hint="let the source name one file, or EntryModule the path of one",
        component=COMPONENT,
    )


@dataclass(eq=False, slots=True)
class _Entry:
    """Compiled code; ``users`` are the tasks that need its file to stay."""

    file: Path
    size_bytes: asyncio.Future[int | BacalhauError]
    users: int = 0

    @property
    def kept_bytes(self) -> int:
        """Size of the file, 0 while it is not there."""
        size = self.size_bytes.result() if self.size_bytes.done() else 0
        return size if isinstance(size, int) else 0


class CompiledModules:
    """Compiled code by the module's hash; what was not used for longest goes first.

    Blocking work runs in ``pool``. Several tasks with one module compile it once.
    """

    def __init__(
        self, directory: Path, pool: ThreadPoolExecutor, limit_bytes: int = _CACHE_LIMIT_BYTES
    ) -> None:
        self._directory = directory
        self._pool = pool
        self._limit_bytes = limit_bytes
        self._entries: OrderedDict[str, _Entry] = OrderedDict()

    def clear(self) -> None:
        """Begin with an empty directory; code of another process is not trusted."""
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)

    @asynccontextmanager
    async def lend(self, source: Path) -> AsyncIterator[Path]:
        """Yield the file with the compiled code of the module in ``source``.

        Cancellation: a compilation goes on to its end, for whoever needs it next.

        Raises:
            ExecutionError: code ``ModuleNotFound``, ``ModuleLoadError`` or ``ModuleCompileError``.
            TransientError: the disk refuses.
        """
        loop = asyncio.get_running_loop()
        binary, digest = await loop.run_in_executor(self._pool, _read_with_digest, source)
        entry = self._entries.get(digest)
        if entry is None:
            file = self._directory / f"{digest}.cwasm"
            entry = _Entry(file, loop.run_in_executor(self._pool, _compile, binary, file))
            self._entries[digest] = entry
        self._entries.move_to_end(digest)
        entry.users += 1
        try:
            outcome = await asyncio.shield(entry.size_bytes)
            if isinstance(outcome, BacalhauError):
                raise outcome
            yield entry.file
        finally:
            entry.users -= 1
            self._evict()

    def _evict(self) -> None:
        excess = sum(each.kept_bytes for each in self._entries.values()) - self._limit_bytes
        for digest, entry in list(self._entries.items()):
            if entry.users or not entry.size_bytes.done():
                continue
            failed = isinstance(entry.size_bytes.result(), BacalhauError)
            if failed or excess > 0:
                excess -= entry.kept_bytes
                entry.file.unlink(missing_ok=True)
                del self._entries[digest]


def _read(source: Path) -> bytes:
    try:
        size = source.stat().st_size
        binary = source.read_bytes() if size <= _MODULE_LIMIT_BYTES else b""
    except OSError as exc:
        raise ExecutionError(
            f"cannot read the WebAssembly module {source.name}: {exc.strerror}",
            code=Code.MODULE_NOT_FOUND,
            component=COMPONENT,
        ) from exc
    if size > _MODULE_LIMIT_BYTES:
        problem = f"it has {size} bytes, more than {_MODULE_LIMIT_BYTES}"
    elif not binary.startswith(_MAGIC):
        problem = "it does not begin as one"
    elif binary[4:8] != _CORE_VERSION:
        problem = "it is a component, or of an unknown version"
    else:
        return binary
    raise ExecutionError(
        f"{source.name} is not a binary WebAssembly module: {problem}",
        code=Code.MODULE_LOAD,
        hint="compile text to a binary module (wat2wasm); build for the target wasm32-wasip1",
        component=COMPONENT,
    )


def _read_with_digest(source: Path) -> tuple[bytes, str]:
    binary = _read(source)
    return binary, hashlib.sha256(binary).hexdigest()


def _compile(binary: bytes, file: Path) -> int | BacalhauError:
    """Compile into a file and return its size, or the error: all who wait for it raise that."""
    try:
        with new_engine() as engine, wasmtime.Module(engine, binary) as module:
            code = module.serialize()
        return file.write_bytes(code)
    except wasmtime.WasmtimeError as exc:
        return ExecutionError(
            f"cannot compile the WebAssembly module: {exc}",
            code=Code.MODULE_COMPILE,
            component=COMPONENT,
        )
    except OSError as exc:
        file.unlink(missing_ok=True)
        return TransientError(
            f"cannot keep compiled WebAssembly: {exc}", code=Code.IO, component=COMPONENT
        )
