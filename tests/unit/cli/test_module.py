"""The module of `wasm run` (spec cli.md 8.6)."""

from __future__ import annotations

import base64
import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from bacalhau.cli.flags.module import LARGEST_MODULE_BYTES, read_module
from bacalhau.cli.wasm.run import wasm_engine
from bacalhau.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

MODULE = b"\0asm\x01\0\0\0"


def test_a_small_module_travels_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "main.wasm"
    path.write_bytes(MODULE)
    source = read_module(str(path))
    encoded = base64.b64encode(MODULE).decode()
    assert source.source.type == "inline"
    assert source.source.params == {"URL": f"data:application/wasm;base64,{encoded}"}
    assert (source.target, source.alias) == ("", "")


def test_a_larger_module_travels_as_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "main.wasm"
    path.write_bytes(MODULE + bytes(600))
    url = read_module(str(path)).source.params["URL"]
    assert url == read_module(str(path)).source.params["URL"]
    kind, _, encoded = url.partition(";base64,")
    assert kind == "data:application/gzip"
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(encoded)), mode="r:gz") as archive:
        assert archive.getnames() == ["main.wasm"]
        member = archive.extractfile("main.wasm")
        assert member is not None
        assert member.read() == MODULE + bytes(600)


@pytest.mark.parametrize(
    "text",
    [
        "QmZTYpWcQcjDXfkkYdoNLQCRo4KFCSA1pXJFqKMQRmVZBL",
        "https://example.com/ipfs/QmZTYpWcQcjDXfkkYdoNLQCRo4KFCSA1pXJFqKMQRmVZBL",
    ],
)
def test_a_content_id_is_fetched_by_the_node(text: str) -> None:
    source = read_module(text)
    cid = "QmZTYpWcQcjDXfkkYdoNLQCRo4KFCSA1pXJFqKMQRmVZBL"
    assert (source.source.type, source.source.params) == ("ipfs", {"CID": cid})
    assert source.alias == f"ipfs://{cid}"


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not a valid CID or local file"):
        read_module(str(tmp_path / "none.wasm"))
    with pytest.raises(UserError, match="should point to a single file"):
        read_module(str(tmp_path))
    large = tmp_path / "large.wasm"
    large.write_bytes(bytes(LARGEST_MODULE_BYTES + 1))
    with pytest.raises(UserError, match="a module may have up to 10485760"):
        read_module(str(large))


def test_the_engine_has_all_parameters(tmp_path: Path) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(MODULE)
    engine = wasm_engine(
        [str(path), "one", "two"], entry_point="_start", env=["A=1", "B="], imports=[]
    )
    assert engine.type == "wasm"
    params = dict(engine.params)
    assert params.pop("EntryModule")["Source"]["Type"] == "inline"
    assert params == {
        "Entrypoint": "_start",
        "Parameters": ["one", "two"],
        "EnvironmentVariables": {"A": "1", "B": ""},
        "ImportModules": [],
    }


@pytest.mark.parametrize("variable", ["A", "A=b=c"])
def test_variables_have_exactly_one_equals_sign(tmp_path: Path, variable: str) -> None:
    path = tmp_path / "m.wasm"
    path.write_bytes(MODULE)
    with pytest.raises(UserError, match="wasm env vars invalid"):
        wasm_engine([str(path)], entry_point="_start", env=[variable], imports=[])
