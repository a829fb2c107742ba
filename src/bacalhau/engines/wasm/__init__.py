"""The WebAssembly engine, on wasmtime (spec engines.md 3)."""

from bacalhau.engines.wasm.engine import WasmEngine

__all__ = ["WasmEngine"]
