"""Results stored in S3 as one archive an execution (spec storage.md 7.3)."""

from __future__ import annotations

import hashlib
import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bacalhau.errors import BacalhauError
from bacalhau.lib.threads import run_to_end
from bacalhau.models import SpecConfig
from bacalhau.models.decode import decode_params, unknown_params
from bacalhau.models.problems import Problem
from bacalhau.models.specs.s3 import S3Params, S3PublisherParams, publisher_problems
from bacalhau.ports import Published
from bacalhau.publishers._results import (
    ARCHIVE_SUFFIX,
    archive_name,
    pack,
    part_path,
    prepare_directory,
)
from bacalhau.s3.access import reach
from bacalhau.s3.checksums import format_digest
from bacalhau.s3.client import S3Client
from bacalhau.s3.endpoints import DEFAULT_REGION, locate
from bacalhau.s3.failures import Subject, explained, refuse_params
from bacalhau.s3.trust import KEY as TRUSTED_KEY
from bacalhau.s3.upload import PARTS_AT_ONCE, upload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from bacalhau.models import Execution
    from bacalhau.ports import PluginContext, PublishedFile

COMPONENT = "S3Publisher"
_CONNECTIONS = 4 * PARTS_AT_ONCE
_PLACEHOLDER = re.compile(r"\{(nodeID|executionID|jobID|date|time)\}")
_IGNORED = frozenset({"compress"})  # documented for older versions


class S3Publisher:
    """Stores archives of results."""

    def __init__(
        self, context: PluginContext, client: S3Client, directory: Path, executor: Executor
    ) -> None:
        self._clock = context.clock
        self._client = client
        self._directory = directory
        self._executor = executor

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Judge parameters; see ``ports.Plugin``."""
        params = decode_params(S3PublisherParams, spec)
        refuse_params([*publisher_problems(params), *_problems(params)], COMPONENT)
        return list(_warnings(params, spec))

    @classmethod
    @asynccontextmanager
    async def open(cls, context: PluginContext) -> AsyncIterator[S3Publisher]:
        """Make a live instance; see ``ports.Plugin``."""
        directory = context.data_directory / "compute" / "results" / "s3-publisher"
        prepare_directory(directory)
        with ThreadPoolExecutor(2, thread_name_prefix="s3-publisher") as executor:
            trusted = context.settings.words(TRUSTED_KEY)
            async with S3Client.open(
                context.clock, connections=_CONNECTIONS, trusted=trusted
            ) as client:
                yield cls(context, client, directory, executor)

    async def is_available(self) -> bool:
        """Tell whether the node has credentials."""
        try:
            return await self._client.credentials.current() is not None
        except BacalhauError:
            return False

    async def publish(self, execution: Execution, results: Path) -> Published:
        """Pack and upload the results; see ``ports.Publisher``."""
        assert execution.job is not None, "a published execution carries its job"
        params = decode_params(S3PublisherParams, execution.job.task.publisher)
        key = final_key(params.key, execution, self._clock.now_ns())
        subject = Subject(
            component=COMPONENT, bucket=params.bucket, key=key, endpoint=params.endpoint
        )
        bucket, subject = await reach(self._client, subject, region=params.region)
        archive = part_path(self._directory, archive_name(execution, COMPONENT))
        try:
            files, digest = await run_to_end(self._executor, partial(_pack, results, archive))
            with explained(subject):
                version = await upload(self._client, bucket, key, archive)
        finally:
            archive.unlink(missing_ok=True)
        published = S3Params(
            bucket=params.bucket,
            key=key,
            region=params.region or self._client.region_of(bucket),
            endpoint=subject.endpoint,
            version_id=version,
            checksum_sha256=format_digest(digest),
        )
        spec = SpecConfig(type="s3", params=msgspec.to_builtins(published))
        return Published(spec=spec, files=files)


def final_key(template: str, execution: Execution, now_ns: int) -> str:
    """Fill in a template. Date and time are those of this node, in its time zone."""
    if template.endswith("/"):
        template += "{executionID}"
    if not template.endswith(ARCHIVE_SUFFIX):
        template += ARCHIVE_SUFFIX
    now = datetime.fromtimestamp(now_ns / 1e9, tz=UTC).astimezone()
    values = {
        "nodeID": execution.node_id,
        "executionID": execution.id,
        "jobID": execution.job_id,
        "date": f"{now:%Y%m%d}",
        "time": f"{now:%H%M%S}",
    }
    return _PLACEHOLDER.sub(lambda match: values[match[1]], template)


def _pack(results: Path, archive: Path) -> tuple[tuple[PublishedFile, ...], bytes]:
    """Return the files in the archive, and the SHA-256 of the archive itself."""
    files = pack(results, archive, COMPONENT)
    with archive.open("rb") as file:
        return files, hashlib.file_digest(file, "sha256").digest()


def _problems(params: S3PublisherParams) -> Iterator[Problem]:
    """Yield what can never work, beyond what ``publisher_problems`` knows."""
    try:
        locate(params.bucket, params.endpoint, params.region, DEFAULT_REGION)
    except ValueError as exc:
        field = "Region" if str(exc).startswith("region") else "Endpoint"
        yield Problem(f"Params.{field}", f"invalid s3 params. {exc}")


def _warnings(params: S3PublisherParams, spec: SpecConfig) -> Iterator[str]:
    for name in unknown_params(S3PublisherParams, spec):
        if name.lower() not in _IGNORED:
            yield f'publisher s3 ignores the unknown parameter "{name}"'
    if params.key.endswith("/"):
        yield f'Key "{params.key}" ends with "/"; {{executionID}}.tar.gz is appended'
