"""Deciding, once, which objects an input consists of (spec storage.md 3.2, 3.3, 3.6)."""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from bacalhau.errors import Code, UserError
from bacalhau.lib.pattern import Pattern, PatternError, compile_pattern
from bacalhau.lib.threads import run_to_end
from bacalhau.ports import InputPlan
from bacalhau.s3.inputs.checksums import ExpectedChecksum
from bacalhau.s3.inputs.keys import (
    COMPONENT,
    is_single,
    listing_prefix,
    plan_layout,
    wildcard_advice,
)
from bacalhau.s3.requests.responses import ListedObject, MalformedResponseError, ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bacalhau.models.specs.s3 import S3Params
    from bacalhau.s3.requests.client import Bucket, S3Client

PAGE_SIZE = 1_000


async def plan_objects(
    client: S3Client, bucket: Bucket, params: S3Params, max_objects: int
) -> InputPlan:
    """List what the parameters name, which must not be more than ``max_objects``.

    Raises:
        ServiceError: the server refuses, or has no such object; an empty prefix is no error.
        MalformedResponseError: it answers something that no S3 server does.
        UserError: unsafe keys, too many objects, another checksum, or a broken filter.
    """
    if not is_single(params.key):
        prefix = listing_prefix(params.key)
        return await _plan_prefix(client, bucket, params, max_objects, prefix=prefix, base=prefix)
    checksum = ExpectedChecksum(params.checksum_sha256) if params.checksum_sha256 else None
    try:
        facts = await client.head(
            bucket, params.key, version=params.version_id, with_checksum=checksum is not None
        )
    except ServiceError as exc:
        if exc.status == 404:
            await _find_out_more(client, bucket, params.key, exc)
            if params.version_id:  # the answer to HEAD has no body that could say so
                exc.code = Code.NO_SUCH_VERSION
        if params.version_id:
            exc.hint = exc.hint or "check Key and VersionID"
        exc.hint = exc.hint or wildcard_advice(params.key)
        raise
    if (facts.content_type or "").startswith("application/x-directory"):
        return await _plan_prefix(
            client,
            bucket,
            params,
            max_objects,
            prefix=f"{params.key}/",
            base=params.key,
            name=params.key,
        )
    if checksum is not None and checksum.agrees_with(facts.checksum_sha256) is False:
        raise checksum_mismatch(params, facts.checksum_sha256)
    listed = ListedObject(
        key=params.key, size_bytes=facts.size_bytes, etag=facts.etag, version=facts.version
    )
    return InputPlan(objects=plan_layout([listed], base=listing_prefix(params.key)))


def checksum_mismatch(params: S3Params, found: str) -> UserError:
    """Return the error for an object that is not the expected one."""
    return UserError(
        f"checksum mismatch for s3://{params.bucket}/{params.key}, "
        f"expected {params.checksum_sha256}, got {found or 'none'}",
        code=Code.S3_CHECKSUM,
        component=COMPONENT,
        hint="this is not the object that the job was written for; correct ChecksumSHA256 or Key",
        fields=["Params.ChecksumSHA256"],
    )


async def _find_out_more(client: S3Client, bucket: Bucket, key: str, missing: ServiceError) -> None:
    """Add a hint where a missing key is a prefix.

    Raises:
        ServiceError: it is the bucket that is missing.
    """
    with suppress(MalformedResponseError):
        try:
            page = await client.page(bucket, f"{key}/", "", 1)
        except ServiceError as exc:
            if exc.code == Code.NO_SUCH_BUCKET:
                raise
            return
        if page.objects:
            missing.hint = f'"{key}" is a prefix; use "{key}/" to fetch everything under it'


async def _plan_prefix(
    client: S3Client,
    bucket: Bucket,
    params: S3Params,
    max_objects: int,
    *,
    prefix: str,
    base: str,
    name: str = "",
) -> InputPlan:
    """List a prefix; ``name`` is the key of an object that stands for the directory above it."""
    try:
        pattern = compile_pattern(params.filter) if params.filter else None
    except PatternError as exc:
        raise UserError(
            f"invalid regex pattern: {exc}",
            code=Code.S3_BAD_REQUEST,
            component=COMPONENT,
            fields=["Params.Filter"],
        ) from exc
    objects: list[ListedObject] = []
    async for page in _pages(client, bucket, prefix):
        kept = page
        if pattern is not None:
            select = partial(_matching, page, pattern, len(prefix))
            kept = await run_to_end(client.executor, select)
        objects += [await _with_size(client, bucket, item) for item in kept]
        if len(objects) > max_objects:
            raise UserError(
                f"s3://{params.bucket}/{params.key} has more than {max_objects} objects",
                code=Code.S3_BAD_REQUEST,
                component=COMPONENT,
                hint="choose fewer with Key and Filter, or raise "
                "InputSources.Types.S3.MaxObjects on the node",
            )
    warnings = () if objects else (f"s3://{params.bucket}/{params.key}: no objects matched",)
    if name and not objects:
        objects = [ListedObject(key=f"{name}/", size_bytes=0)]
    return InputPlan(objects=plan_layout(objects, base=base, prefix=prefix), warnings=warnings)


async def _pages(
    client: S3Client, bucket: Bucket, prefix: str
) -> AsyncIterator[tuple[ListedObject, ...]]:
    token = ""
    seen: set[str] = set()
    while True:
        page = await client.page(bucket, prefix, token, PAGE_SIZE)
        yield page.objects
        token = page.next_token
        if not token:
            return
        if token in seen:
            raise MalformedResponseError(
                "the listing does not end: a continuation token came twice"
            )
        seen.add(token)


def _matching(
    page: tuple[ListedObject, ...], pattern: Pattern, skip: int
) -> tuple[ListedObject, ...]:
    """Select by what follows the textual prefix, not the last ``/`` before it."""
    return tuple(item for item in page if pattern.matches(item.key[skip:]))


async def _with_size(client: S3Client, bucket: Bucket, item: ListedObject) -> ListedObject:
    """Ask for the size that some servers leave out of a listing."""
    if item.size_bytes is not None:
        return item
    facts = await client.head(bucket, item.key)
    return ListedObject(key=item.key, size_bytes=facts.size_bytes, etag=facts.etag)
