"""boto3, as a process: ``python -m bench.s3.boto ACTION ENDPOINT KEY DIRECTORY``.

``fetch`` and ``upload`` use its transfer manager as it comes, which is that of ``aws s3 cp``, too:
ten threads. ``serial`` fetches one object after another.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import boto3  # type: ignore[import-untyped]
from boto3.s3.transfer import TransferManager  # type: ignore[import-untyped]

from bench.s3.store import BUCKET


def _keys(client: Any, prefix: str) -> list[str]:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def _target(directory: Path, key: str) -> str:
    return str(directory / key.rpartition("/")[2])


def _fetch(client: Any, prefix: str, directory: Path) -> None:
    with TransferManager(client) as manager:
        futures = [
            manager.download(BUCKET, key, _target(directory, key)) for key in _keys(client, prefix)
        ]
        for future in futures:
            future.result()


def _serial(client: Any, prefix: str, directory: Path) -> None:
    for key in _keys(client, prefix):
        body = client.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        Path(_target(directory, key)).write_bytes(body)


def main(action: str, endpoint: str, key: str, path: str) -> None:
    """Do it, and print the report."""
    client = boto3.client("s3", endpoint_url=endpoint)
    started = time.perf_counter()
    if action == "upload":
        client.upload_file(path, BUCKET, key)
    else:
        {"fetch": _fetch, "serial": _serial}[action](client, key, Path(path))
    print(json.dumps({"wall": time.perf_counter() - started, "fetched": 0}))


if __name__ == "__main__":
    main(*sys.argv[1:])
