"""Whether a WebAssembly module can run with nothing but WASI preview 1 (spec cli.md 8.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import wasmtime

from bacalhau.errors import UserError, ValidationError
from bacalhau.lib.wasm import new_engine

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEADER = b"\0asm\1\0\0\0"
_COMPONENT = "WASM"


def check_module(binary: bytes, function: str) -> None:
    """Check that a module compiles, finds what it imports, and has the function to call.

    Raises:
        UserError: it is no binary module, or does not compile.
        ValidationError: with every import that is missing, and what is wrong with the function.
    """
    if not binary.startswith(_HEADER):
        raise UserError(
            "not a binary WebAssembly module of version 1",
            hint="compile text to a binary module (wat2wasm); build for the target wasm32-wasip1",
            component=_COMPONENT,
        )
    with new_engine() as engine:
        try:
            module = wasmtime.Module(engine, binary)
        except wasmtime.WasmtimeError as exc:
            reason = " ".join(str(exc).split())
            raise UserError(
                f"cannot compile the WebAssembly module: {reason}", component=_COMPONENT
            ) from exc
        with module:
            problems = [*_import_problems(engine, module), *_function_problems(module, function)]
    if problems:
        raise ValidationError("\n".join(problems), component=_COMPONENT)


def _import_problems(engine: wasmtime.Engine, module: wasmtime.Module) -> Iterator[str]:
    with wasmtime.Store(engine) as store, wasmtime.Linker(engine) as linker:
        linker.define_wasi()
        for wanted in module.imports:
            name = f"'{wanted.module}::{wanted.name}'"
            try:
                found = linker.get(store, wanted.module, wanted.name or "")
            except wasmtime.WasmtimeError:
                yield f"no export found for {name} required by module"
                continue
            if not isinstance(found, wasmtime.Func):
                continue
            kind = wanted.type
            if not isinstance(kind, wasmtime.FuncType):
                yield f"{name} is a function, and the module wants something else"
            elif _signature(kind) != _signature(found.type(store)):
                yield (
                    f"{name} has the signature {_signature(found.type(store))}, "
                    f"and the module wants {_signature(kind)}"
                )


def _function_problems(module: wasmtime.Module, function: str) -> Iterator[str]:
    exported = {each.name: each.type for each in module.exports}
    kind = exported.get(function)
    if not isinstance(kind, wasmtime.FuncType):
        names = sorted(
            name for name, each in exported.items() if isinstance(each, wasmtime.FuncType)
        )
        yield (
            f"unable to find the entrypoint '{function}' in the WASM module, "
            f"which exports {', '.join(names) or 'no function'}"
        )
    elif kind.params or kind.results:
        yield (
            f"the entrypoint '{function}' must take nothing and return nothing, "
            f"and has the signature {_signature(kind)}"
        )


def _signature(kind: wasmtime.FuncType) -> str:
    params, results = (" ".join(map(str, types)) for types in (kind.params, kind.results))
    return f"({params}) -> ({results})"
