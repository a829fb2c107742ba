"""Local paths: what may be asked for, what is granted, and what is never touched."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.errors import UnsuitableNodeError, ValidationError
from bacalhau.models import InputSource, SpecConfig
from bacalhau.sources.local import LocalSource
from tests.support.inputs import node_with

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from bacalhau.ports import Volume
    from tests.support.inputs import Node


def node(directory: Path, *allowed: str) -> AbstractAsyncContextManager[Node]:
    place = Path(tempfile.mkdtemp(prefix="node-", dir=directory))
    return node_with(LocalSource, place, {"Compute.AllowListedLocalPaths": allowed})


async def volume(directory: Path, *allowed: str, **params: Any) -> Volume:
    """Return what a node lends whose list has some paths relative to ``directory``."""
    async with node(directory, *(f"{directory}/{entry}" for entry in allowed)) as live:
        return (await live.fetch(params)).volume


async def refused(directory: Path, *allowed: str, **params: Any) -> UnsuitableNodeError:
    """Return why a node lends nothing, which a bid and a fetch say alike."""
    wanted = InputSource(source=SpecConfig(type="local", params=params), target="/in")
    async with node(directory, *(f"{directory}/{entry}" for entry in allowed)) as live:
        with pytest.raises(UnsuitableNodeError) as caught:
            await live.fetch(params)
        assert isinstance(live.source, LocalSource)
        assert not await live.source.has_locally(wanted)
    return caught.value


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory with a file, ``data/a.txt``, and a secret beside it, ``secret/key``."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").write_text("k")
    return tmp_path


# -- parameters -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "message", "field"),
    [
        ({}, "SourcePath cannot be empty", "SourcePath"),
        ({"SourcePath": "data"}, 'SourcePath "data" is not absolute', "SourcePath"),
        ({"SourcePath": "~/data"}, "is not absolute", "SourcePath"),
        ({"SourcePath": "/data/../etc"}, 'contains ".."', "SourcePath"),
        ({"SourcePath": "/data/.."}, 'contains ".."', "SourcePath"),
        ({"SourcePath": "/a\0b"}, "null byte", "SourcePath"),
        ({"SourcePath": "/" + "a/" * 3000}, "longer than 4096 bytes", "SourcePath"),
        ({"SourcePath": "/a", "CreateAs": "pipe"}, "invalid CreateAs value pipe", "CreateAs"),
    ],
)
def test_what_can_never_work_is_refused_at_submission(
    params: dict[str, Any], message: str, field: str
) -> None:
    with pytest.raises(ValidationError) as caught:
        LocalSource.check(SpecConfig(type="local", params=params))
    assert caught.value.message.startswith("invalid local storage params: ")
    assert message in caught.value.message
    assert caught.value.fields == (f"Params.{field}",)


@pytest.mark.parametrize(
    ("params", "warning"),
    [
        ({"Path": "/a"}, "Path is understood as SourcePath; write SourcePath"),
        ({"Path": "/a", "SourcePath": "/b"}, "Path is ignored, because SourcePath is given"),
        (
            {"SourcePath": "/a", "ReadWrite": "yes"},
            'ReadWrite "yes" is not true: the volume is read-only',
        ),
        ({"SourcePath": "/a", "CreateAs": "dir"}, "CreateAs has no effect without ReadWrite"),
    ],
)
def test_what_is_not_meant_as_written_is_warned_of(params: dict[str, Any], warning: str) -> None:
    assert list(LocalSource.check(SpecConfig(type="local", params=params))) == [warning]


@pytest.mark.parametrize("word", ["", "noCreate", "NOCREATE", "Dir", "file"])
def test_create_as_is_read_in_any_case(word: str) -> None:
    params = {"SourcePath": "/a", "ReadWrite": True, "CreateAs": word}
    assert list(LocalSource.check(SpecConfig(type="local", params=params))) == []


# -- what is lent -----------------------------------------------------------------------


async def test_a_directory_is_lent_itself_and_read_only(data: Path) -> None:
    lent = await volume(data, "data:rw", SourcePath=f"{data}//data/./")
    assert lent.path == data / "data"
    assert lent.read_only


async def test_a_file_is_lent_itself(data: Path) -> None:
    async with node(data, f"{data}/data/**") as live:
        fetched = await live.fetch({"SourcePath": str(data / "data" / "a.txt")})
    assert fetched.volume.path == data / "data" / "a.txt"
    assert fetched.plan.is_file
    assert fetched.plan.size_bytes == 0


async def test_the_other_name_of_the_parameter_works(data: Path) -> None:
    assert (await volume(data, "data", Path=f"{data}/data")).path == data / "data"


@pytest.mark.parametrize(("asked", "granted"), [(True, True), ("true", True), ("True", False)])
async def test_writing_has_to_be_asked_for(data: Path, asked: bool | str, granted: bool) -> None:
    lent = await volume(data, "data:rw", SourcePath=f"{data}/data", ReadWrite=asked)
    assert lent.read_only is not granted


async def test_a_link_within_the_list_is_lent_as_what_it_leads_to(data: Path) -> None:
    (data / "data" / "link").symlink_to(data / "data" / "a.txt")
    lent = await volume(data, "data/**", SourcePath=f"{data}/data/link")
    assert lent.path == data / "data" / "a.txt"


async def test_without_a_list_the_source_is_not_offered(data: Path) -> None:
    async with node(data) as live:
        assert not await live.source.is_available()


# -- what is not ------------------------------------------------------------------------


async def test_what_is_not_on_the_list(data: Path) -> None:
    error = await refused(data, "data/**", SourcePath=f"{data}/secret")
    assert error.message == f"volume {data}/secret is not allowlisted"
    assert error.hint == f"its operator can add {data}/secret to Compute.AllowListedLocalPaths"


async def test_a_directory_on_the_list_does_not_stand_for_what_is_in_it(data: Path) -> None:
    error = await refused(data, "data", SourcePath=f"{data}/data/a.txt")
    assert "is not allowlisted" in error.message


async def test_what_is_on_the_list_for_reading_only(data: Path) -> None:
    error = await refused(data, "data/**", SourcePath=f"{data}/data", ReadWrite=True)
    assert error.message == f"volume {data}/data is not granted write access"
    assert f"add {data}/data:rw to" in error.hint


@pytest.mark.parametrize("name", ["link", "link/key"])
async def test_a_link_that_leads_out_of_the_list(data: Path, name: str) -> None:
    (data / "data" / "link").symlink_to(data / "secret")
    error = await refused(data, "data/**:rw", SourcePath=f"{data}/data/{name}", ReadWrite=True)
    assert error.message == f"volume {data}/data/{name} is not allowlisted"
    assert "a symbolic link leads out" in error.hint
    assert "secret" not in error.message + error.hint


async def test_a_link_out_of_what_may_be_written_into_what_may_only_be_read(data: Path) -> None:
    (data / "out").mkdir()
    (data / "out" / "link").symlink_to(data / "data")
    params = {"SourcePath": f"{data}/out/link", "ReadWrite": True}
    error = await refused(data, "data/**:ro", "out/**:rw", **params)
    assert error.message == f"volume {data}/out/link is not granted write access"


async def test_what_is_not_there(data: Path) -> None:
    error = await refused(data, "data/**", SourcePath=f"{data}/data/nothing")
    assert error.message == f"volume {data}/data/nothing does not exist"
    assert "a path on the compute node" in error.hint
    below_a_file = await refused(data, "data/**", SourcePath=f"{data}/data/a.txt/b")
    assert "does not exist" in below_a_file.message


async def test_whether_something_is_there_is_told_only_of_what_is_on_the_list(data: Path) -> None:
    error = await refused(data, "data/**", SourcePath=f"{data}/secret/nothing")
    assert "is not allowlisted" in error.message


async def test_a_link_in_a_circle(data: Path) -> None:
    (data / "data" / "circle").symlink_to("circle")
    error = await refused(data, "data/**", SourcePath=f"{data}/data/circle")
    assert "cannot be used" in error.message


async def test_what_is_neither_file_nor_directory(data: Path) -> None:
    os.mkfifo(data / "data" / "pipe")
    error = await refused(data, "data/**", SourcePath=f"{data}/data/pipe")
    assert "neither a file nor a directory" in error.message


async def test_what_was_removed_after_the_bid(data: Path) -> None:
    params = {"SourcePath": f"{data}/data/a.txt"}
    async with node(data, f"{data}/data/**") as live:
        plan = await live.plan(params)
        (data / "data" / "a.txt").unlink()
        with pytest.raises(UnsuitableNodeError) as caught:
            await live.fetch_planned(params, plan)
    assert caught.value.retryable


# -- creating ---------------------------------------------------------------------------


@pytest.mark.parametrize(("word", "is_file"), [("dir", False), ("FILE", True)])
async def test_creates_what_is_missing(data: Path, word: str, is_file: bool) -> None:
    path = data / "data" / "new" / "deep"
    params = {"SourcePath": str(path), "ReadWrite": True, "CreateAs": word}
    async with node(data, f"{data}/data/**:rw") as live:
        plan = await live.plan(params)
        assert plan.is_file is is_file
        assert not path.parent.exists()
        fetched = await live.fetch_planned(params, plan)
    assert fetched.volume.path == path
    assert path.is_file() is is_file
    assert path.stat().st_mode & 0o777 == path.parent.stat().st_mode & 0o777 == 0o700


async def test_leaves_alone_what_is_there(data: Path) -> None:
    params = {"SourcePath": f"{data}/data/a.txt", "ReadWrite": True, "CreateAs": "file"}
    lent = await volume(data, "data/**:rw", **params)
    assert lent.path.read_text() == "a"


async def test_creates_nothing_without_being_allowed_to_write(data: Path) -> None:
    path = f"{data}/data/new"
    error = await refused(data, "data/**:rw", SourcePath=path, CreateAs="dir")
    assert error.message == f"volume {path} does not exist"
    error = await refused(data, "data/**:ro", SourcePath=path, CreateAs="dir", ReadWrite=True)
    assert error.message == f"volume {path} is not granted write access"
    assert not Path(path).exists()


async def test_creates_nothing_through_a_link_out_of_the_list(data: Path) -> None:
    (data / "data" / "link").symlink_to(data / "secret")
    params = {"SourcePath": f"{data}/data/link/new", "ReadWrite": True, "CreateAs": "dir"}
    await refused(data, "data/**:rw", **params)
    assert [path.name for path in (data / "secret").iterdir()] == ["key"]


async def test_says_what_cannot_be_created(data: Path) -> None:
    params = {"SourcePath": f"{data}/data/a.txt/new", "ReadWrite": True, "CreateAs": "dir"}
    error = await refused(data, "data/**:rw", **params)
    assert error.message.startswith(f"volume {data}/data/a.txt/new cannot be used: it cannot be")
