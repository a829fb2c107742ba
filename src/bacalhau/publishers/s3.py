"""Results stored in S3, as one archive an execution or file by file (spec storage.md 7.3, 9.3)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bacalhau.errors import BacalhauError, Code, UnsuitableNodeError, ValidationError
from bacalhau.lib.budget import ByteBudget
from bacalhau.lib.digests import format_digest
from bacalhau.lib.threads import run_until_stopped
from bacalhau.models import SpecConfig
from bacalhau.models.decode import decode_params, unknown_params
from bacalhau.models.problems import Problem
from bacalhau.models.specs.s3 import S3Params, S3PublisherParams, publisher_problems
from bacalhau.ports import Published
from bacalhau.publishers._plain_files import Place, publish_plain
from bacalhau.publishers._results import (
    archive_name,
    on_disk,
    pack,
    part_path,
    prepare_directory,
)
from bacalhau.s3.requests.access import reach
from bacalhau.s3.requests.client import S3Client
from bacalhau.s3.requests.failures import (
    PLACE_HINTS,
    Subject,
    explained,
    refuse_params,
    unlisted,
)
from bacalhau.s3.results.keys import MAX_KEY_BYTES, final_key, is_own_key, template_warnings
from bacalhau.s3.results.upload import (
    MEMORY_BYTES,
    PARTS_AT_ONCE,
    SINGLE_BYTES,
    give_up_leftovers,
    upload,
)
from bacalhau.s3.server.endpoints import DEFAULT_REGION, has_scheme, locate
from bacalhau.s3.server.trust import KEY as TRUSTED_KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from bacalhau.models import Execution
    from bacalhau.ports import PluginContext, PublishedFile, PublishProgress
    from bacalhau.s3.results.upload import Stored

COMPONENT = "S3Publisher"
_CONNECTIONS = 4 * PARTS_AT_ONCE
_IGNORED = frozenset({"compress"})  # documented for older versions


class S3Publisher:
    """Stores results."""

    def __init__(
        self, context: PluginContext, client: S3Client, directory: Path, executor: Executor
    ) -> None:
        self._clock = context.clock
        self._client = client
        self._directory = directory
        self._executor = executor
        self._memory = ByteBudget(MEMORY_BYTES)

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

    def admit(self, spec: SpecConfig) -> None:
        """Refuse a server that would not get what this node signs; ``ports.SelectivePublisher``."""
        params = decode_params(S3PublisherParams, spec)
        if not self._client.trusted.include(params.endpoint):
            raise unlisted(UnsuitableNodeError, COMPONENT, params.endpoint)

    async def publish(
        self, execution: Execution, results: Path, progress: PublishProgress
    ) -> Published:
        """Upload the results, as one archive or file by file; see ``ports.Publisher``."""
        assert execution.job is not None, "a published execution carries its job"
        params = decode_params(S3PublisherParams, execution.job.task.publisher)
        key = final_key(params, execution, self._clock.now_ns())
        subject = Subject(
            component=COMPONENT, bucket=params.bucket, key=key, endpoint=params.endpoint
        )
        bucket, subject = await reach(self._client, subject, region=params.region)
        place = Place(bucket=bucket, prefix=key, is_own=is_own_key(params))
        publish = self._plain if params.is_plain else self._archive
        with explained(subject):
            files, stored = await publish(place, execution, results, progress)
        published = S3Params(
            bucket=params.bucket,
            key=key,
            region=params.region or self._client.region_of(bucket),
            endpoint=subject.endpoint,
            version_id=stored.version,
            checksum_sha256=format_digest(stored.digest),
        )
        spec = SpecConfig(type="s3", params=msgspec.to_builtins(published))
        return Published(spec=spec, files=files)

    async def _archive(
        self, place: Place, execution: Execution, results: Path, progress: PublishProgress
    ) -> tuple[tuple[PublishedFile, ...], Stored]:
        """Store one archive, named by the place's prefix."""
        key = place.prefix
        _refuse_long(key)
        archive = part_path(self._directory, archive_name(execution, COMPONENT))
        try:
            files = await run_until_stopped(
                self._executor, partial(pack, execution, results, archive, COMPONENT, progress)
            )
            size_bytes = archive.stat().st_size
            advance = progress.publishing(size_bytes)
            if place.is_own and size_bytes > SINGLE_BYTES:
                await give_up_leftovers(self._client, place.bucket, key)
            with on_disk("read", COMPONENT):
                stored = await upload(
                    self._client,
                    place.bucket,
                    key,
                    archive,
                    self._memory,
                    lambda count: advance(count, 0),
                )
        finally:
            archive.unlink(missing_ok=True)
        return files, stored

    async def _plain(
        self, place: Place, execution: Execution, results: Path, progress: PublishProgress
    ) -> tuple[tuple[PublishedFile, ...], Stored]:
        return await publish_plain(
            self._client,
            place,
            execution,
            results,
            progress,
            memory=self._memory,
            component=COMPONENT,
        )


def _refuse_long(key: str) -> None:
    if len(key.encode()) > MAX_KEY_BYTES:
        raise ValidationError(
            f"the key {key!r} is longer than 1,024 bytes",
            code=Code.S3_BAD_REQUEST,
            component=COMPONENT,
            hint="shorten Key",
            fields=["Params.Key"],
        )


def _problems(params: S3PublisherParams) -> Iterator[Problem]:
    """Yield what can never work, beyond what ``publisher_problems`` knows."""
    try:
        locate(params.bucket, params.endpoint, params.region, DEFAULT_REGION)
    except ValueError as exc:
        field = "Region" if str(exc).startswith("region") else "Endpoint"
        yield Problem(f"Params.{field}", f"invalid s3 params. {exc}", PLACE_HINTS[field])


def _warnings(params: S3PublisherParams, spec: SpecConfig) -> Iterator[str]:
    for name in unknown_params(S3PublisherParams, spec):
        if name.lower() not in _IGNORED:
            yield f'publisher s3 ignores the unknown parameter "{name}"'
    if params.endpoint and not has_scheme(params.endpoint):
        yield f'Endpoint "{params.endpoint}" has no http:// or https://; one is assumed'
    yield from template_warnings(params.key)
    if params.key.endswith("/") and not params.is_plain:
        yield f'Key "{params.key}" ends with "/"; {{executionID}}.tar.gz is appended'
