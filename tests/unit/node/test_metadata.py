"""What a data directory says about itself, and which ones are opened (spec config.md 7)."""

from __future__ import annotations

import json
import random
import stat
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import UserError
from bacalhau.lib.ids import SeededIds
from bacalhau.lib.yaml_document import load_yaml
from bacalhau.node.metadata import Metadata, open_metadata, write_metadata

if TYPE_CHECKING:
    from pathlib import Path

IDS = SeededIds(random.Random(1))


def test_a_new_directory_is_marked_with_the_layout_of_v1_5(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("left alone")
    found = open_metadata(tmp_path, IDS)
    assert load_yaml((tmp_path / "system_metadata.yaml").read_text()) == {
        "InstanceID": found.instance_id,
        "LastUpdateCheck": "0001-01-01T00:00:00Z",
        "NodeName": "",
        "RepoVersion": 4,
    }
    assert json.loads((tmp_path / "repo.version").read_text()) == {"Version": 4}
    for name in ("system_metadata.yaml", "repo.version"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    assert len(found.instance_id) == 64
    assert open_metadata(tmp_path, IDS) == found
    assert (tmp_path / "mine.txt").read_text() == "left alone"


def test_what_v1_5_has_written_is_kept(tmp_path: Path) -> None:
    (tmp_path / "system_metadata.yaml").write_text(
        "RepoVersion: 4\nInstanceID: 00ff\nLastUpdateCheck: 2024-10-09T12:00:00.5Z\nNodeName: n-1\n"
    )
    known = Metadata("00ff", "n-1", "2024-10-09T12:00:00.5Z")
    assert open_metadata(tmp_path, IDS) == known
    write_metadata(tmp_path, known)
    assert open_metadata(tmp_path, IDS) == known


@pytest.mark.parametrize("name", ["n-1", "yes", "1e3", "0x10", "null", "ä", '"', "a: b"])
def test_every_name_comes_back_as_it_was(tmp_path: Path, name: str) -> None:
    write_metadata(tmp_path, Metadata("1", name))
    assert open_metadata(tmp_path, IDS).node_name == name


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        (1, "let Bacalhau v1.5 open it once"),
        (3, "let Bacalhau v1.5 open it once"),
        (5, "use a program of that version"),
        (9, "use a program of that version"),
    ],
)
@pytest.mark.parametrize("file", ["system_metadata.yaml", "repo.version"])
def test_other_layouts_are_refused_and_left_alone(
    tmp_path: Path, file: str, version: int, advice: str
) -> None:
    content = {
        "system_metadata.yaml": f"RepoVersion: {version}\n",
        "repo.version": f'{{"Version":{version}}}',
    }[file]
    (tmp_path / file).write_text(content)
    with pytest.raises(UserError, match=f"data directory .* has layout {version}") as refused:
        open_metadata(tmp_path, IDS)
    assert advice in refused.value.hint
    assert "--data-dir" in refused.value.hint
    assert [path.name for path in tmp_path.iterdir()] == [file]
    assert (tmp_path / file).read_text() == content


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("system_metadata.yaml", "{", "it is not YAML: line 2"),
        ("system_metadata.yaml", "[1]", "it has no keys"),
        ("system_metadata.yaml", "NodeName: x", "it tells no version"),
        ("repo.version", "4", "it tells no version"),
        ("repo.version", "x", "it is not JSON"),
    ],
)
def test_damaged_files_are_told(tmp_path: Path, file: str, content: str, reason: str) -> None:
    (tmp_path / file).write_text(content)
    with pytest.raises(UserError) as refused:
        open_metadata(tmp_path, IDS)
    assert refused.value.message.startswith(f"{tmp_path / file} cannot be used: {reason}")
