"""The S3 server of the measurement, and what it holds."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.machine import cpu_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator

BUCKET = "bench"
SMALL = "small/"
SMALL_COUNT = 10_000
SMALL_BYTES = 4096
FEW = "few/"
FEW_COUNT = 2_000
MEDIUM = "medium/"
MEDIUM_COUNT = 200
PART_BYTES = 8 * 2**20
LARGE = "large/object"
LARGE_PARTS = 128
_STORE_BYTES = 12 * 2**30
_FILL_THREADS = 8
_SERVER = ("radosgw", "ceph-osd")


@contextmanager
def running(directory: Path) -> Iterator[str]:
    """Run Ceph's gateway, filled, and yield its endpoint; the environment gets its credentials."""
    from tests.support import rgw
    from tests.support.s3 import rgw_client

    if missing := rgw.missing_programs():
        raise SystemExit(f"missing: {', '.join(missing)}; run scripts/install_test_servers.sh")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(rgw.OWNER.environment)
    os.environ["AWS_DEFAULT_REGION"] = rgw.OWNER.environment["AWS_REGION"]
    with rgw.running(directory, store_bytes=_STORE_BYTES) as endpoint:
        _fill(rgw_client(endpoint, rgw.OWNER))
        yield endpoint


def server_cpu_seconds() -> float:
    """Return the CPU time that the server has used so far; it is a child of this process."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    programs = {int(pid): Path(f"/proc/{pid}/comm").read_text().strip() for pid in children}
    return sum(cpu_seconds(pid) for pid, name in programs.items() if name in _SERVER)


def _fill(client: Any) -> None:
    client.create_bucket(Bucket=BUCKET)
    content = os.urandom(PART_BYTES)

    def put(key: str, number: int, size_bytes: int) -> None:
        body = number.to_bytes(8, "big") + content[8:size_bytes]
        client.put_object(Bucket=BUCKET, Key=key, Body=body)

    wanted = [(f"{SMALL}{n:05}", n, SMALL_BYTES) for n in range(SMALL_COUNT)]
    wanted += [(f"{FEW}{n:05}", n, SMALL_BYTES) for n in range(FEW_COUNT)]
    wanted += [(f"{MEDIUM}{n:03}", n, PART_BYTES) for n in range(MEDIUM_COUNT)]
    with ThreadPoolExecutor(_FILL_THREADS) as pool:
        list(pool.map(lambda each: put(*each), wanted))
    target = {"Bucket": BUCKET, "Key": LARGE}
    upload = {**target, "UploadId": client.create_multipart_upload(**target)["UploadId"]}
    stored = [
        client.upload_part(
            **upload, PartNumber=number, Body=number.to_bytes(8, "big") + content[8:]
        )
        for number in range(1, LARGE_PARTS + 1)
    ]
    parts = [{"PartNumber": n, "ETag": part["ETag"]} for n, part in enumerate(stored, 1)]
    client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
