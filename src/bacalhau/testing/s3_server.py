"""A real S3 server for tests and the demo: OpenStack Swift in one process, without root.

As a program::

    python -m bacalhau.testing.s3_server --directory DIR [--port N] [--bucket NAME --upload FOLDER]
    python -m bacalhau.testing.s3_server --endpoint URL --bucket NAME [--upload FOLDER]

The first form serves until it is stopped and prints its endpoint as its first line; the second
makes a bucket on a running server and copies a folder into it. In Python, ``running`` does the
first and ``upload`` the second.

It needs the packages ``swift`` and ``boto3``, which are development requirements only.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bacalhau.testing import _swift
from bacalhau.testing._swift import REGION, SECRET, USER

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["REGION", "SECRET", "USER", "client", "environment", "main", "running", "upload"]

_STOP_SECONDS = 10.0


def environment() -> dict[str, str]:
    """Return the environment variables with which S3 clients are accepted by the server.

    The last one lets nodes sign what they ask of an endpoint that a job names.
    """
    return {
        "AWS_ACCESS_KEY_ID": USER,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "BACALHAU_COMPUTE_ALLOWLISTEDS3ENDPOINTS": "http://127.0.0.1:*",
    }


@contextmanager
def running(directory: Path, port: int = 0) -> Iterator[str]:
    """Run a server as a child process, with its data below ``directory``, and yield its endpoint.

    Raises:
        RuntimeError: it did not start; the text has its output.
    """
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / "server.log"
    command = [sys.executable, "-m", __name__, "--directory", str(directory), "--port", str(port)]
    with (
        log.open("wb") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,  # noqa: S603
    ):
        assert process.stdout is not None
        try:
            endpoint = process.stdout.readline().strip()
            if not endpoint:
                raise RuntimeError(f"the S3 server did not start: {log.read_text()}")
            _connect(endpoint)
            yield endpoint
        finally:
            _stop(process)


def client(endpoint: str) -> Any:
    """Return a boto3 client for a server."""
    import boto3  # type: ignore[import-untyped]
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id=USER,
        aws_secret_access_key=SECRET,
        config=Config(s3={"addressing_style": "path"}),
    )


def upload(endpoint: str, bucket: str, folder: Path | None = None) -> list[str]:
    """Make a bucket, copy the files of a folder into it, and return their keys, sorted."""
    s3 = client(endpoint)
    s3.create_bucket(Bucket=bucket)
    files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
    keys = [path.relative_to(folder).as_posix() for path in files if folder]
    for path, key in zip(files, keys, strict=True):
        s3.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    return keys


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve, or upload; see the module's text."""
    options = _parser().parse_args(arguments)
    if options.endpoint:
        for key in upload(options.endpoint, options.bucket, options.upload):
            sys.stdout.write(f"s3://{options.bucket}/{key}\n")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    directory = options.directory.absolute()
    directory.mkdir(parents=True, exist_ok=True)

    def on_ready(endpoint: str) -> None:
        if options.bucket:
            _upload_from_child(endpoint, options)
        sys.stdout.write(endpoint + "\n")
        sys.stdout.flush()

    _swift.serve(directory, options.port, on_ready)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="s3_server", description="An S3 server for tests.")
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--directory", type=Path, help="serve, and keep all data here")
    place.add_argument("--endpoint", help="use this running server instead of serving")
    parser.add_argument("--port", type=int, default=0, help="port to serve on; 0 takes a free one")
    parser.add_argument("--bucket", help="bucket to make")
    parser.add_argument("--upload", type=Path, help="folder whose files go into the bucket")
    return parser


def _upload_from_child(endpoint: str, options: argparse.Namespace) -> None:
    """Upload from a process of its own: here, a client would keep the server from answering."""
    from eventlet.green import subprocess as green

    command = [sys.executable, "-m", "bacalhau.testing.s3_server", "--endpoint", endpoint]
    command += ["--bucket", options.bucket]
    command += ["--upload", str(options.upload)] if options.upload else []
    green.check_call(command, stdout=subprocess.DEVNULL)


def _connect(endpoint: str) -> None:
    address = urlsplit(endpoint)
    with socket.create_connection((address.hostname, address.port), timeout=_STOP_SECONDS):
        pass


def _stop(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


if __name__ == "__main__":
    sys.exit(main())
