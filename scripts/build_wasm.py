"""Turn WebAssembly text into a binary module.

python scripts/build_wasm.py MODULE.wat [-o MODULE.wasm]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import wasmtime


def build(source: Path, target: Path) -> None:
    """Translate one file; ``target`` appears only when it is complete.

    Raises:
        wasmtime.WasmtimeError: the text is wrong; the message shows line and column.
        OSError: a file cannot be read or written.
    """
    binary = wasmtime.wat2wasm(source.read_text(encoding="utf-8"))
    wasmtime.Module.validate(wasmtime.Engine(), bytes(binary))
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    partial.write_bytes(binary)
    partial.replace(target)


def main() -> int:
    """Read the arguments, build, and say what was written."""
    parser = argparse.ArgumentParser(description="Turn WebAssembly text into a binary module.")
    parser.add_argument("source", type=Path, help="the text, usually NAME.wat")
    parser.add_argument("-o", "--output", type=Path, help="default: NAME.wasm beside the text")
    arguments = parser.parse_args()
    target = arguments.output or arguments.source.with_suffix(".wasm")
    try:
        build(arguments.source, target)
    except (wasmtime.WasmtimeError, OSError, UnicodeDecodeError) as exc:
        print(f"cannot build {arguments.source}: {exc}", file=sys.stderr)
        return 1
    print(f"{target} ({target.stat().st_size} bytes)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
