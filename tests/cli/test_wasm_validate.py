"""Modules that can run, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.cli import Outcome, run_cli
from tests.support.engines import compile_text

PROBE = Path(__file__).parent.parent / "data" / "wasm" / "probe.wat"
WASI = "wasi_snapshot_preview1"


def validate(tmp_path: Path, text: str, *flags: str) -> Outcome:
    path = tmp_path / "module.wasm"
    path.write_bytes(compile_text(text))
    return run_cli("wasm", "validate", str(path), *flags)


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ('(module (func (export "_start")))', []),
        (PROBE.read_text(), ["--entry-point", "say"]),
    ],
)
def test_modules_that_can_run(tmp_path: Path, text: str, flags: list[str]) -> None:
    outcome = validate(tmp_path, text, *flags)
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "OK\n", "")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '(module (import "env" "f" (func)) (func (export "_start")))',
            "no export found for 'env::f' required by module",
        ),
        (
            f'(module (import "{WASI}" "open" (func)) (func (export "_start")))',
            f"no export found for '{WASI}::open' required by module",
        ),
        (
            f'(module (import "{WASI}" "proc_exit" (func (param i64))) (func (export "_start")))',
            f"'{WASI}::proc_exit' has the signature (i32) -> (), and the module wants (i64) -> ()",
        ),
        (
            f'(module (import "{WASI}" "proc_exit" (memory 1)) (func (export "_start")))',
            f"'{WASI}::proc_exit' is a function, and the module wants something else",
        ),
        (
            '(module (func (export "run")))',
            "unable to find the entrypoint '_start' in the WASM module, which exports run",
        ),
        (
            '(module (memory (export "_start") 1))',
            "unable to find the entrypoint '_start' in the WASM module, which exports no function",
        ),
        (
            '(module (func (export "_start") (param i32) (result i64) i64.const 1))',
            "the entrypoint '_start' must take nothing and return nothing, "
            "and has the signature (i32) -> (i64)",
        ),
        ('(module (memory i64 1) (func (export "_start")))', "cannot compile the WebAssembly"),
    ],
)
def test_modules_that_cannot_run(tmp_path: Path, text: str, message: str) -> None:
    outcome = validate(tmp_path, text)
    assert (outcome.code, outcome.stdout) == (1, "")
    assert message in outcome.stderr


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    outcome = validate(tmp_path, '(module (import "a" "b" (func)) (import "c" "d" (func)))')
    assert all(word in outcome.stderr for word in ("'a::b'", "'c::d'", "entrypoint '_start'"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"(module)", "not a binary WebAssembly module of version 1"),
        (b"\0asm\x0d\0\1\0", "not a binary WebAssembly module of version 1"),
        (b"\0asm\1\0\0\0junk", "cannot compile the WebAssembly module: "),
    ],
)
def test_files_that_are_no_modules(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "module.wasm"
    path.write_bytes(content)
    outcome = run_cli("wasm", "validate", str(path))
    assert outcome.code == 1
    assert message in outcome.stderr


def test_a_file_that_is_not_there() -> None:
    outcome = run_cli("wasm", "validate", "none.wasm")
    assert outcome.stderr == '\nError: cannot read "none.wasm": No such file or directory\n'
