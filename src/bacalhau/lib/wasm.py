"""The WebAssembly language that this program speaks, for nodes and for checks before submission."""

from __future__ import annotations

import wasmtime


def new_engine() -> wasmtime.Engine:
    """Make an engine. All have the same configuration, so that they share compiled code.

    Language: WebAssembly 2.0, without what would escape the limits on memory and threads.
    """
    config = wasmtime.Config()
    config.epoch_interruption = True
    config.wasm_threads = False
    config.shared_memory = False
    config.wasm_memory64 = False
    config.wasm_multi_memory = False
    config.wasm_gc = False
    return wasmtime.Engine(config)
