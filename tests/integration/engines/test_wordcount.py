"""The example module, built from its source and compared with ``wc``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bacalhau.engines.wasm import WasmEngine
from bacalhau.models import SpecConfig
from bacalhau.ports import Volume
from bacalhau.testing.contracts.engine import CollectingSink, Runs, finish
from tests.support.engines import WasmBench, plugin_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "examples" / "wordcount" / "wordcount.wat"
TEXTS = ROOT / "examples" / "wordcount" / "texts"

Table = dict[str, tuple[int, int, int]]


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("module") / "wordcount.wasm"
    command = [sys.executable, "scripts/build_wasm.py", str(SOURCE), "-o", str(target)]
    subprocess.run(command, check=True, cwd=ROOT)
    return target


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[WasmEngine]:
    async with WasmEngine.open(plugin_context(tmp_path / "node")) as engine:
        yield engine


class Counter:
    """Counts a directory or file mounted below ``/inputs``."""

    def __init__(self, engine: WasmEngine, module: Path, directory: Path) -> None:
        self._engine = engine
        self._module = Volume(path=module, target="/module")
        self._runs = Runs(WasmBench(directory, directory), directory / "runs")

    async def count(
        self, *inputs: Volume, outputs: tuple[str, ...] = ("/outputs",)
    ) -> tuple[int, CollectingSink, str]:
        """Return the exit code, what was printed, and the content of ``counts.txt``."""
        spec = SpecConfig(type="wasm", params={"EntryModule": "/module"})
        run, sink = self._runs.make(spec, inputs=(self._module, *inputs), outputs=outputs)
        code = (await finish(self._engine, run)).exit_code
        files = [volume.path / "counts.txt" for volume in run.outputs]
        return code, sink, "".join(file.read_text() for file in files if file.exists())


@pytest.fixture
def counter(engine: WasmEngine, module: Path, tmp_path: Path) -> Counter:
    return Counter(engine, module, tmp_path)


def parse(table: str) -> Table:
    head, *rows = table.splitlines()
    assert head.split() == ["lines", "words", "bytes", "path"]
    split = (row.split(maxsplit=3) for row in rows)
    return {name: (int(lines), int(words), int(size)) for lines, words, size, name in split}


def wc(directory: Path) -> Table:
    names = sorted(
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if path.is_file() and not path.is_symlink()
    )
    done = subprocess.run(
        ["wc", "--lines", "--words", "--bytes", "--", *names, os.devnull],
        cwd=directory,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=True,
    )
    rows = (row.split(maxsplit=3) for row in done.stdout.splitlines())
    counts = {name: (int(lines), int(words), int(size)) for lines, words, size, name in rows}
    del counts[os.devnull]
    return counts


async def test_counts_the_example_texts_like_wc(counter: Counter) -> None:
    code, sink, written = await counter.count(Volume(path=TEXTS, target="/inputs"))
    assert code == 0, sink.stderr
    assert parse(written) == wc(TEXTS)
    assert sink.stdout.decode() == written


async def test_counts_files_of_all_shapes(counter: Counter, tmp_path: Path) -> None:
    root = tmp_path / "in"
    deep = root / "/".join("abcdefgh")
    deep.mkdir(parents=True)
    (deep / "bottom.txt").write_text("one two\n")
    (root / "empty").touch()
    (root / "no newline at the end").write_text("one two")
    (root / "blanks").write_bytes(b" \t\r\n\x0b\x0c x\x0cy\n\n")
    (root / "large").write_bytes(b"word on the edge\n" * 300_000)
    (root / "straddling").write_bytes(b"a" * 65_535 + b" " + b"b" * 70_000)
    (root / "ümläut").write_text("äöü\n")
    (root / "link").symlink_to("large")
    (root / "outside").symlink_to("/etc/hostname")
    code, sink, written = await counter.count(Volume(path=root, target="/inputs"))
    assert code == 0, sink.stderr
    assert parse(written) == wc(root)


async def test_counts_directories_of_many_files(counter: Counter, tmp_path: Path) -> None:
    root = tmp_path / "in"
    root.mkdir()
    for number in range(600):
        (root / f"{number:03}-{'x' * (number % 200)}").write_text("a b\n" * (number % 7))
    code, sink, written = await counter.count(Volume(path=root, target="/inputs"))
    assert code == 0, sink.stderr
    assert parse(written) == wc(root)


async def test_counts_a_single_file_below_inputs(counter: Counter, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("one two\nthree\n")
    code, sink, _ = await counter.count(
        Volume(path=tmp_path / "file", target="/inputs/file.txt"), outputs=()
    )
    assert code == 0, sink.stderr
    assert parse(sink.stdout.decode()) == {"file.txt": (2, 3, 14), "total": (2, 3, 14)}


async def test_without_outputs_the_table_is_only_printed(counter: Counter) -> None:
    code, sink, written = await counter.count(Volume(path=TEXTS, target="/inputs"), outputs=())
    assert (code, written) == (0, "")
    assert parse(sink.stdout.decode()) == wc(TEXTS)


async def test_without_inputs_it_says_so(counter: Counter) -> None:
    code, sink, _ = await counter.count()
    assert code == 1
    assert sink.stderr == b"wordcount: cannot open /inputs (errno 44)\n"


async def test_what_is_too_deep_is_named_and_the_rest_counted(
    counter: Counter, tmp_path: Path
) -> None:
    root = tmp_path / "in"
    (root / "/".join(["d"] * 40)).mkdir(parents=True)
    (root / "file").write_text("one\n")
    code, sink, written = await counter.count(Volume(path=root, target="/inputs"))
    assert code == 1
    assert sink.stderr.startswith(b"wordcount: cannot descend into d/d/d/")
    assert parse(written)["file"] == (1, 1, 4)


def test_building_a_broken_text_says_where(tmp_path: Path) -> None:
    source = tmp_path / "broken.wat"
    source.write_text("(module\n  (func $f (nonsense)))\n")
    command = [sys.executable, "scripts/build_wasm.py", str(source)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "unknown operator" in done.stderr
    assert ":2:" in done.stderr
    assert not source.with_suffix(".wasm").exists()
