"""The file system that a module sees (spec engines.md 3.4)."""

from __future__ import annotations

from pathlib import Path

import pytest

from bacalhau.engines.wasm.files import Preopen, build_skeleton, plan_preopens
from bacalhau.errors import ExecutionError
from bacalhau.ports import Volume

SKELETON = Path("/skeleton")


def guests(preopens: list[Preopen]) -> list[tuple[str, str, bool]]:
    return [(each.guest, str(each.host), each.is_writable) for each in preopens]


def test_the_root_comes_first_and_only_outputs_can_be_written() -> None:
    preopens, files = plan_preopens(
        SKELETON,
        [Volume(path=Path("/i"), target="/inputs")],
        [Volume(path=Path("/o/outputs"), target="/outputs")],
    )
    assert guests(preopens) == [
        ("/", "/skeleton", False),
        ("/inputs", "/i", False),
        ("/outputs", "/o/outputs", True),
    ]
    assert files == []


def test_an_output_is_found_under_its_path_and_its_name() -> None:
    outputs = [Volume(path=Path("/o/results"), target="/custom/path")]
    preopens, _ = plan_preopens(SKELETON, [], outputs)
    assert [each.guest for each in preopens] == ["/", "/custom/path", "/results"]


def test_a_name_that_an_input_has_taken_stays_with_the_input() -> None:
    inputs = [Volume(path=Path("/i"), target="/data")]
    outputs = [Volume(path=Path("/o/data"), target="/elsewhere")]
    preopens, _ = plan_preopens(SKELETON, inputs, outputs)
    assert guests(preopens)[1:] == [("/data", "/i", False), ("/elsewhere", "/o/data", True)]


@pytest.mark.parametrize("target", ["inputs", "/inputs/", "//inputs", "/./inputs", "/x/../inputs"])
def test_one_path_has_one_spelling(target: str) -> None:
    preopens, _ = plan_preopens(SKELETON, [Volume(path=Path("/i"), target=target)], [])
    assert preopens[1].guest == "/inputs"


@pytest.mark.parametrize("target", ["/../etc", "/a\0b"])
def test_a_path_that_leads_nowhere_is_refused(target: str) -> None:
    with pytest.raises(ExecutionError, match="cannot mount"):
        plan_preopens(SKELETON, [Volume(path=Path("/i"), target=target)], [])


def test_a_directory_can_be_the_root() -> None:
    preopens, _ = plan_preopens(SKELETON, [Volume(path=Path("/i"), target="/")], [])
    assert guests(preopens) == [("/", "/i", False)]


def test_a_file_inside_a_mounted_directory_cannot_be_shown(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    inputs = [
        Volume(path=tmp_path, target="/inputs"),
        Volume(path=tmp_path / "file", target="/inputs/sub/file"),
    ]
    with pytest.raises(ExecutionError) as caught:
        plan_preopens(SKELETON, inputs, [])
    assert 'lies inside "/inputs"' in caught.value.message
    assert caught.value.hint


def test_the_skeleton_lists_every_mount(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    inputs = [
        Volume(path=tmp_path, target="/inputs/deep"),
        Volume(path=tmp_path / "file", target="/data/file"),
    ]
    skeleton = tmp_path / "skeleton"
    preopens, files = plan_preopens(skeleton, inputs, [])
    build_skeleton(skeleton, preopens, files)
    found = sorted(str(path.relative_to(skeleton)) for path in skeleton.rglob("*"))
    assert found == ["data", "data/file", "inputs", "inputs/deep"]
    assert (skeleton / "data" / "file").read_text() == "content"
