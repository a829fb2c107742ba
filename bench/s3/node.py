"""This project, as a process: ``python -m bench.s3.node ACTION ENDPOINT KEY DIRECTORY``.

``fetch`` plans and fetches as a compute node does it, through the source and the cache of inputs:
the task gets copies of its own. ``share`` does so for inputs that are mounted read-only, ``again``
does it twice, ``upload`` stores a file. The last line says what the last run took without the start
of the process, and how many objects had to be fetched.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

from bacalhau.compute.cache.keeper import InputKeeper
from bacalhau.config import Settings
from bacalhau.lib.clock import SystemClock
from bacalhau.lib.ids import RandomIds
from bacalhau.models import InputSource, NodeID, SpecConfig
from bacalhau.ports import PluginContext
from bacalhau.s3.requests.access import reach
from bacalhau.s3.requests.client import S3Client
from bacalhau.s3.requests.failures import Subject
from bacalhau.s3.results.upload import upload
from bacalhau.sources.s3 import S3Source
from bench.s3.store import BUCKET

_HERE = ("http://127.0.0.1:*",)
_CACHE_BYTES = 20 * 2**30
_DAY_SECONDS = 24 * 3600.0


async def _fetch(action: str, endpoint: str, key: str, directory: Path) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        keeper = await stack.enter_async_context(
            InputKeeper.open(
                directory / "cache",
                limit_bytes=_CACHE_BYTES,
                verify_seconds=_DAY_SECONDS,
                clock=SystemClock(),
                ids=RandomIds(),
            )
        )
        settings = Settings(
            {
                "Compute.AllowListedS3Endpoints": _HERE,
                "InputSources.MountReadOnly": action == "share",
            }
        )
        context = PluginContext(
            node_id=NodeID("n-bench"),
            data_directory=directory,
            settings=settings,
            clock=SystemClock(),
            ids=RandomIds(),
            cache=keeper,
        )
        source = await stack.enter_async_context(S3Source.open(context))
        params = {"Bucket": BUCKET, "Key": key, "Endpoint": endpoint}
        wanted = InputSource(source=SpecConfig(type="s3", params=params), target="/inputs")
        for run in range(2 if action == "again" else 1):
            place = directory / f"execution-{run}"
            place.mkdir()
            before = keeper.statistics().misses
            started = time.perf_counter()
            plan = await source.plan(wanted)
            await source.fetch(wanted, plan, place, lambda *_: None)
            taken = time.perf_counter() - started
        return {"wall": taken, "fetched": keeper.statistics().misses - before}


async def _upload(endpoint: str, key: str, file: Path) -> dict[str, float]:
    async with S3Client.open(SystemClock(), connections=64, trusted=_HERE) as client:
        started = time.perf_counter()
        subject = Subject(component="bench", bucket=BUCKET, key=key, endpoint=endpoint)
        bucket, _ = await reach(client, subject)
        await upload(client, bucket, key, file)
        return {"wall": time.perf_counter() - started, "fetched": 0}


def main(action: str, endpoint: str, key: str, path: str) -> None:
    """Do it, and print the report."""
    is_upload = action == "upload"
    work = (
        _upload(endpoint, key, Path(path))
        if is_upload
        else _fetch(action, endpoint, key, Path(path))
    )
    print(json.dumps(asyncio.run(work)))


if __name__ == "__main__":
    main(*sys.argv[1:])
