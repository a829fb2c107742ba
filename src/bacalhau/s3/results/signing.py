"""Links to results that work without credentials, for a while (spec storage.md 8.1, 9.3).

A node reports where it published, and a job says where it should have: both may be hostile. A link
is made only for what the job's own publisher can have written, only at servers that may see what
this node signs, and for plain results only for files below the place of the execution.
"""

from __future__ import annotations

import asyncio
import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from bacalhau.errors import BacalhauError
from bacalhau.lib.digests import parse_digest
from bacalhau.lib.parallel import in_parallel
from bacalhau.lib.threads import run_to_end
from bacalhau.models import SpecConfig
from bacalhau.models.decode import decode_params
from bacalhau.models.specs.s3 import MANIFEST, S3Params, S3PublisherParams
from bacalhau.s3.requests.access import reach
from bacalhau.s3.requests.client import Call
from bacalhau.s3.requests.failures import UNLISTED_HINT, Subject, explained
from bacalhau.s3.results.keys import ARCHIVE_SUFFIX, can_be_key
from bacalhau.s3.results.manifest import LIMIT_BYTES, Manifest, decode_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bacalhau.models import Execution, Job
    from bacalhau.s3.requests.client import Bucket, S3Client

log = structlog.get_logger()

COMPONENT = "S3ResultSigner"
PRE_SIGNED = "s3PreSigned"
SECONDS = 20.0
"""How long reading the manifests of one answer may take."""
MAX_LINKS = 100_000
"""How many files one answer has links for; 1,000 of them are about 0.6 MB."""

_MANIFESTS_AT_ONCE = 8


class S3ResultSigner:
    """Signs published results with the credentials of this node (``ports.ResultSigner``)."""

    def __init__(self, client: S3Client, expires_seconds: int) -> None:
        self._client = client
        self._expires_seconds = expires_seconds

    async def sign(self, job: Job, executions: Sequence[Execution]) -> list[SpecConfig]:
        """Return a result of type ``s3PreSigned`` for each of type ``s3``; see the port.

        An archive gets one link, ``PreSignedURL``. Plain files get one each, in ``Files``, and
        ``PreSignedURL`` is that of their manifest. All are for the versions that were published.
        """
        results = [execution.published_result for execution in executions]
        if await self._client.credentials.current() is None:
            return results
        answer = _Answer(self._client, self._expires_seconds, job)
        wanted = [index for index, result in enumerate(results) if result.kind == "s3"]
        wanted.sort(key=lambda index: _is_plain(results[index]))  # archives take no time

        async def sign(index: int) -> None:
            results[index] = await answer.signed(executions[index])

        try:
            async with asyncio.timeout(SECONDS):
                await in_parallel(wanted, _MANIFESTS_AT_ONCE, sign)
        except TimeoutError:
            log.warning(
                "results_not_signed", job_id=job.id, reason=f"manifests were not read in {SECONDS}s"
            )
        return results


class _Answer:
    """The links for the results of one job, asked for once."""

    def __init__(self, client: S3Client, expires_seconds: int, job: Job) -> None:
        self._client = client
        self._expires_seconds = expires_seconds
        self._job = job
        self._links_left = MAX_LINKS

    async def signed(self, execution: Execution) -> SpecConfig:
        """Return a result with links, or as it is; then the log says why."""
        result = execution.published_result
        try:
            params = decode_params(S3Params, result)
            if not params.key.endswith((ARCHIVE_SUFFIX, "/")):
                return result
            self._check_place(params, execution)
            added = await self._links(params, execution)
        except (BacalhauError, ValueError) as exc:
            log.warning("result_not_signed", execution_id=execution.id, reason=str(exc))
            return result
        source = msgspec.to_builtins(params)
        return SpecConfig(type=PRE_SIGNED, params={**added, "SourceSpec": source})

    def _check_place(self, params: S3Params, execution: Execution) -> None:
        """Raise unless the job's publisher can have written there, and this node may sign it."""
        publisher = self._job.task.publisher
        wanted = decode_params(S3PublisherParams, publisher)
        is_expected = (
            publisher.kind == "s3"
            and params.bucket == wanted.bucket
            and params.endpoint == (wanted.endpoint or params.endpoint)
            and can_be_key(params.key, wanted, execution)
        )
        if not is_expected:
            raise ValueError(f"s3://{params.bucket}/{params.key} is not where the job publishes")
        if not self._client.trusted.include(params.endpoint):
            raise ValueError(f"{params.endpoint} is not listed; {UNLISTED_HINT}")

    async def _links(self, params: S3Params, execution: Execution) -> dict[str, Any]:
        is_plain = params.key.endswith("/")
        key = params.key + MANIFEST if is_plain else params.key
        subject = Subject(
            component=COMPONENT, bucket=params.bucket, key=key, endpoint=params.endpoint
        )
        bucket, subject = await reach(self._client, subject, region=params.region)
        manifest = None
        if is_plain:
            with explained(subject):
                body = await self._read(bucket, key, params.version_id)
            manifest = await run_to_end(
                self._client.executor, partial(_checked, body, params, execution)
            )
            self._links_left -= len(manifest.files)
            if self._links_left < 0:
                raise ValueError(f"the results have more than {MAX_LINKS} files together")
        link = await self._client.links_to(bucket, self._expires_seconds)
        added: dict[str, Any] = {"PreSignedURL": link(key, params.version_id)}
        if manifest is not None:
            files = partial(_signed_files, manifest, params.key, link)
            added["Files"] = await run_to_end(self._client.executor, files)
        return added

    async def _read(self, bucket: Bucket, key: str, version: str) -> bytes:
        call = Call(
            operation="GetObject",
            method="GET",
            bucket=bucket,
            key=key,
            query={"versionId": version} if version else {},
        )
        _, body = await self._client.read(call, LIMIT_BYTES)
        return body


def _is_plain(result: SpecConfig) -> bool:
    return any(
        name.lower() == "key" and str(value).endswith("/") for name, value in result.params.items()
    )


def _checked(body: bytes, params: S3Params, execution: Execution) -> Manifest:
    digest = parse_digest(params.checksum_sha256)
    if digest is not None and digest != hashlib.sha256(body).digest():
        raise ValueError("the manifest is not the one that was published")
    return decode_manifest(body, job_id=execution.job_id, execution_id=execution.id)


def _signed_files(
    manifest: Manifest, prefix: str, link: Callable[[str, str], str]
) -> list[dict[str, Any]]:
    return [
        {
            "Path": file.path,
            "SizeBytes": file.size_bytes,
            "SHA256": file.sha256,
            "PreSignedURL": link(prefix + file.path, file.version_id),
        }
        for file in manifest.files
    ]
