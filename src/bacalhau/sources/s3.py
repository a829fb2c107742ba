"""Input from S3 and everything that speaks its protocol (spec storage.md 2 to 5)."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from bacalhau.errors import BacalhauError, Code, UserError
from bacalhau.lib.pattern import PatternError, compile_pattern
from bacalhau.lib.units import parse_bytes
from bacalhau.models.decode import decode_params, ignored_params
from bacalhau.models.problems import Problem
from bacalhau.models.specs.s3 import S3SourceParams, source_problems
from bacalhau.models.specs.s3_partition import PartitionType, partition_warnings
from bacalhau.ports import WHOLE, Fetched
from bacalhau.s3.inputs.checksums import ExpectedChecksum
from bacalhau.s3.inputs.keys import COMPONENT, is_single, wildcard_advice
from bacalhau.s3.inputs.listing import checksum_mismatch, plan_objects
from bacalhau.s3.inputs.partitions import take_part
from bacalhau.s3.requests.access import reach
from bacalhau.s3.requests.client import S3Client
from bacalhau.s3.requests.failures import PLACE_HINTS, Subject, explained, refuse_params
from bacalhau.s3.server.endpoints import DEFAULT_REGION, Style, has_scheme, locate
from bacalhau.s3.server.trust import KEY as TRUSTED_KEY
from bacalhau.s3.transfer.fetch import DigestMismatchError, fetch
from bacalhau.s3.transfer.reading import RANGE_BYTES, Fetch
from bacalhau.sources._rules import (
    binds_file,
    disk,
    mounts_read_only,
    read_deadline,
    volume,
)
from bacalhau.sources._s3_cache import fetch_cached

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from pathlib import Path

    from bacalhau.models import InputSource, SpecConfig
    from bacalhau.ports import InputPlan, Partition, PluginContext
    from bacalhau.ports.plugin import Progress
    from bacalhau.s3.requests.client import Bucket

_CONCURRENCY_KEY = "InputSources.Types.S3.Concurrency"
_PATTERN_HINT = "write it in the syntax of RE2"


class S3Source:
    """Fetches an object, or all objects under a prefix."""

    def __init__(self, context: PluginContext, client: S3Client) -> None:
        settings = context.settings
        self._ids = context.ids
        self._client = client
        self._allow_anonymous = settings.flag("InputSources.Types.S3.AllowAnonymous")
        self._concurrency = settings.integer(_CONCURRENCY_KEY)
        self._read_seconds = settings.seconds("InputSources.ReadTimeout")
        self._mounts_read_only = mounts_read_only(settings)
        self._has_file_targets = settings.flag("InputSources.Types.S3.FileTargets")
        self._max_objects = settings.integer("InputSources.Types.S3.MaxObjects")
        part_size = settings.text("InputSources.Types.S3.PartSize")
        self._range_bytes = parse_bytes(part_size) if part_size else RANGE_BYTES
        self._cache = context.cache

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Judge parameters; see ``ports.Plugin``."""
        params = decode_params(S3SourceParams, spec)
        refuse_params([*source_problems(params), *_problems(params)], COMPONENT)
        return [*ignored_params("source", S3SourceParams, spec), *_warnings(params)]

    @classmethod
    @asynccontextmanager
    async def open(cls, context: PluginContext) -> AsyncIterator[S3Source]:
        """Make a live instance; see ``ports.Plugin``."""
        connections = context.settings.integer(_CONCURRENCY_KEY)
        if connections < 1:
            raise UserError(
                f"invalid value {connections} for {_CONCURRENCY_KEY}: it must be at least 1",
                code=Code.CONFIGURATION,
                component=COMPONENT,
                hint=f"remove {_CONCURRENCY_KEY} to use the default",
                fields=[_CONCURRENCY_KEY],
            )
        trusted = context.settings.words(TRUSTED_KEY)
        async with S3Client.open(context.clock, connections=connections, trusted=trusted) as client:
            yield cls(context, client)

    async def is_available(self) -> bool:
        """Tell whether there are credentials, or public buckets will do."""
        if self._allow_anonymous:
            return True
        try:
            return await self._client.credentials.current() is not None
        except BacalhauError:
            return False

    async def plan(self, source: InputSource, partition: Partition = WHOLE) -> InputPlan:
        """List and pin; see ``ports.Source``."""
        params = decode_params(S3SourceParams, source.source)
        subject = _subject(params)
        async with read_deadline(self._read_seconds, subject.name, COMPONENT):
            bucket, subject = await self._reach(params)
            with explained(subject):
                plan = await plan_objects(self._client, bucket, params, self._max_objects)
            plan = await take_part(self._client.executor, plan, params, partition)
        warnings = (*_warnings(params), *plan.warnings)
        found = self._client.region_of(bucket)
        if params.region and found not in ("", params.region):
            warnings += (f"the bucket is in region {found}, not {params.region}",)
        is_file = (
            self._has_file_targets
            and is_single(params.key)
            and bool(plan.objects)
            and all(
                binds_file(source.target, item.path) and not item.is_directory
                for item in plan.objects
            )
        )
        return msgspec.structs.replace(
            plan,
            warnings=warnings,
            is_file=is_file,
            origin=f"s3://{params.bucket}/{params.key}",
            endpoint=subject.endpoint,
        )

    async def fetch(
        self, source: InputSource, plan: InputPlan, directory: Path, progress: Progress
    ) -> Fetched:
        """Fetch what was planned; see ``ports.Source``."""
        params = decode_params(S3SourceParams, source.source)
        single = is_single(params.key)
        checksum = ExpectedChecksum(params.checksum_sha256) if single else None
        bucket, subject = await self._reach(params)
        work = Fetch(
            bucket=bucket,
            objects=plan.objects,
            version=params.version_id if single else "",
            digest=checksum.digest if checksum else None,
            small_at_once=self._concurrency,
            range_bytes=self._range_bytes,
            part_name=f".part-{self._ids.uuid()}",
            progress=progress,
        )
        if self._cache is not None:
            await self._cache.make_room(plan.size_bytes, directory)
        with disk(directory, plan.size_bytes, COMPONENT), explained(subject):
            try:
                digests = await self._transfer(work, directory, plan)
            except DigestMismatchError as exc:
                assert checksum is not None, "nothing else is compared"
                raise checksum_mismatch(params, checksum.in_its_form(exc.digest)) from exc
        return Fetched(
            volume=volume(source, plan, directory, read_only=self._is_read_only(plan)),
            digests=digests,
            versions=work.versions,
        )

    def _is_read_only(self, plan: InputPlan) -> bool:
        return self._mounts_read_only or plan.is_read_only

    async def _transfer(self, work: Fetch, directory: Path, plan: InputPlan) -> Mapping[str, bytes]:
        if self._cache is None:
            return await fetch(self._client, work, directory)
        return await fetch_cached(
            self._cache,
            self._client,
            work,
            directory,
            fingerprint=plan.fingerprint,
            is_linked=self._is_read_only(plan),
        )

    async def _reach(self, params: S3SourceParams) -> tuple[Bucket, Subject]:
        return await reach(
            self._client,
            _subject(params),
            region=params.region,
            anonymous=params.anonymous,
            allow_anonymous=self._allow_anonymous,
            style=Style(params.addressing_style or Style.AUTO),
            headers=tuple(_headers(params)),
        )


def _subject(params: S3SourceParams) -> Subject:
    return Subject(
        component=COMPONENT, bucket=params.bucket, key=params.key, endpoint=params.endpoint
    )


def _headers(params: S3SourceParams) -> Iterator[tuple[str, str]]:
    """Yield what every request says beside what it asks for."""
    if params.request_payer:
        yield "x-amz-request-payer", params.request_payer
    if params.expected_bucket_owner:
        yield "x-amz-expected-bucket-owner", params.expected_bucket_owner


def _problems(params: S3SourceParams) -> Iterator[Problem]:
    """Yield what can never work, beyond what ``source_problems`` knows."""
    wants_virtual = params.addressing_style == Style.VIRTUAL and params.bucket
    style = Style.VIRTUAL if wants_virtual else Style.AUTO
    try:
        locate(params.bucket, params.endpoint, params.region, DEFAULT_REGION, style)
    except ValueError as exc:
        fields = {"region": "Region", "bucket": "Bucket"}
        field = fields.get(str(exc).partition(" ")[0], "Endpoint")
        yield Problem(f"Params.{field}", f"invalid s3 storage params: {exc}", PLACE_HINTS[field])
    owner = params.expected_bucket_owner
    if not (owner.isascii() and owner.isprintable()):
        text = f"invalid s3 storage params: ExpectedBucketOwner {owner!r} is no account"
        hint = "write the number of the account, or leave ExpectedBucketOwner out"
        yield Problem("Params.ExpectedBucketOwner", text, hint)
    if params.filter and not is_single(params.key):
        try:
            compile_pattern(params.filter)
        except PatternError as exc:
            yield Problem("Params.Filter", f"invalid regex pattern: {exc}", _PATTERN_HINT)


def _warnings(params: S3SourceParams) -> Iterator[str]:
    """Yield what has no effect, or is not meant as it is written."""
    if params.endpoint and not has_scheme(params.endpoint):
        yield f'Endpoint "{params.endpoint}" has no http:// or https://; one is assumed'
    yield from partition_warnings(params.partition)
    if advice := wildcard_advice(params.key):
        yield f'Key "{params.key}" is taken as it is: {advice}'
    if is_single(params.key):
        if params.filter:
            yield f'Filter is ignored, because "{params.key}" is a single object'
        if params.partition.kind is not PartitionType.NONE:
            yield f'Partition gives "{params.key}", a single object, to one execution alone'
        checksum = params.checksum_sha256
        if checksum and ExpectedChecksum(checksum).digest is None:
            yield "ChecksumSHA256 is no SHA-256 in base64 or hexadecimal; it is compared as a text"
        return
    ignored = {"VersionID": params.version_id, "ChecksumSHA256": params.checksum_sha256}
    for name, value in ignored.items():
        if value:
            yield f'{name} is ignored, because "{params.key}" is a prefix, not a single object'
