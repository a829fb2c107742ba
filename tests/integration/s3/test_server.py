"""The S3 server as a program, as the demo and the documentation start it."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bacalhau.testing import s3_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

PROGRAM = [sys.executable, "-m", "bacalhau.testing.s3_server"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "deep" / "b.txt").write_text("b")
    return folder


def test_first_line_is_the_endpoint_of_a_filled_server(tmp_path: Path, folder: Path) -> None:
    arguments = ["--directory", str(tmp_path), "--bucket", "demo", "--upload", str(folder)]
    with subprocess.Popen([*PROGRAM, *arguments], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            endpoint = process.stdout.readline().strip()
            listing = s3_server.client(endpoint).list_objects_v2(Bucket="demo")
        finally:
            process.send_signal(signal.SIGTERM)
    assert [item["Key"] for item in listing["Contents"]] == ["a.txt", "deep/b.txt"]
    assert process.returncode == 0


def test_upload_to_a_running_server(s3_objects: S3Objects, folder: Path) -> None:
    arguments = ["--endpoint", s3_objects.endpoint, "--bucket", "filled", "--upload", str(folder)]
    done = subprocess.run([*PROGRAM, *arguments], capture_output=True, text=True, check=True)
    assert done.stdout == "s3://filled/a.txt\ns3://filled/deep/b.txt\n"
    body = s3_objects.client.get_object(Bucket="filled", Key="deep/b.txt")["Body"]
    assert body.read() == b"b"


def test_data_outlives_the_process(tmp_path: Path, folder: Path) -> None:
    with s3_server.running(tmp_path / "data") as endpoint:
        assert s3_server.upload(endpoint, "kept", folder) == ["a.txt", "deep/b.txt"]
    with s3_server.running(tmp_path / "data") as endpoint:
        body = s3_server.client(endpoint).get_object(Bucket="kept", Key="a.txt")["Body"]
        assert body.read() == b"a"


def test_server_that_cannot_start_says_why(tmp_path: Path, s3_objects: S3Objects) -> None:
    port = int(s3_objects.endpoint.rpartition(":")[2])
    with (
        pytest.raises(RuntimeError, match="Address already in use"),
        s3_server.running(tmp_path, port),
    ):
        pass
