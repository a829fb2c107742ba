"""Data that is written into the job: every form of data URL, and archives that misbehave."""

from __future__ import annotations

import base64
import gzip
import io
import tarfile
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import UserError, ValidationError
from bacalhau.models import SpecConfig
from bacalhau.sources.inline import InlineSource
from tests.support.inputs import contents, node_with

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("url", "content"),
    [
        ("data:,hello", b"hello"),
        ("data:,", b""),
        ("data:,a%20b+c%2C", b"a b+c,"),
        ("data:text/plain;charset=utf-8;base64,aGVsbG8=", b"hello"),
        ("data:;base64,aGVs%62G8%3D", b"hello"),
        ("data:application/octet-stream;base64,AP8=", b"\x00\xff"),
        ("data:,data:,x", b"data:,x"),
    ],
)
async def test_data_becomes_a_file(url: str, content: bytes, tmp_path: Path) -> None:
    async with node_with(InlineSource, tmp_path) as node:
        fetched = await node.fetch({"URL": url}, "/in/data.txt")
    assert fetched.seen == {"": content}
    assert fetched.plan.is_file
    assert fetched.plan.size_bytes == len(content)
    assert fetched.reported == (len(content), 1)
    assert fetched.volume.path.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hello",
        "data:hello",
        "http://h/data:,x",
        "data:;base64,%%%",
        "data:;base64,aGVsbG8",
        "data:;base64,é=",
    ],
)
def test_what_is_no_data_url(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        InlineSource.check(SpecConfig(type="inline", params={"URL": url}))
    assert "is not a data URL" in caught.value.message
    assert caught.value.fields == ("Params.URL",)


def archive_url(members: dict[str, bytes]) -> str:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return gzip_url(packed.getvalue())


def gzip_url(data: bytes) -> str:
    return f"data:application/gzip;base64,{base64.b64encode(data).decode()}"


async def test_archive_becomes_a_directory_without_entries_for_folders(tmp_path: Path) -> None:
    members = {"app/main.py": b"print()", "app/deep/data": b"12345"}
    async with node_with(InlineSource, tmp_path) as node:
        fetched = await node.fetch({"URL": archive_url(members)})
    assert fetched.seen == members
    assert not fetched.plan.is_file
    assert fetched.plan.size_bytes == 12


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (archive_url({"../evil": b"x"}), "unsafe name"),
        (archive_url({"/evil": b"x"}), "unsafe name"),
        (archive_url({"big": bytes(10 * 2**20 + 1)}), "larger than allowed"),
        (archive_url({f"{n}": bytes(10 * 2**20) for n in range(11)}), "holds more than"),
        (gzip_url(b"no gzip"), "damaged"),
        (gzip_url(gzip.compress(b"no tar")), "damaged"),
        (gzip_url(gzip.compress(bytes(300 * 2**20), 1)), ""),
    ],
    ids=["above", "absolute", "large file", "large in all", "no gzip", "no tar", "bomb"],
)
async def test_archive_is_judged_before_the_job_runs(url: str, reason: str, tmp_path: Path) -> None:
    async with node_with(InlineSource, tmp_path) as node:
        with pytest.raises(UserError) as caught:
            await node.plan({"URL": url})
        assert contents(node.directory) == {}
    assert "the inline archive cannot be unpacked" in caught.value.message
    assert reason in caught.value.message
