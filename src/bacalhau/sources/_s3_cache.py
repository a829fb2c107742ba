"""Objects of S3 through the node's cache of inputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bacalhau.ports.cache import CacheOrder
from bacalhau.s3.transfer.fetch import DigestMismatchError, fetch, fetch_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bacalhau.lib.landing import Landing
    from bacalhau.ports import InputCache, PlannedObject
    from bacalhau.s3.requests.client import Bucket, S3Client
    from bacalhau.s3.transfer.reading import Fetch


async def fetch_cached(
    cache: InputCache,
    client: S3Client,
    work: Fetch,
    directory: Path,
    *,
    fingerprint: str,
    is_linked: bool,
) -> Mapping[str, bytes]:
    """Fetch as ``s3.transfer.fetch``, but only what the node does not have.

    Return the SHA-256 of all files, by path.

    Raises:
        Exception: as ``fetch``.
    """
    objects = tuple(item for item in work.objects if _is_pinned(item))

    async def download(items: tuple[PlannedObject, ...], landing: Landing) -> None:
        await fetch_files(client, replace(work, objects=items), landing)

    filled = await cache.fill(
        CacheOrder(
            objects=objects,
            identities=tuple(identity(work.bucket, item) for item in objects),
            directory=directory,
            download=download,
            fingerprint=fingerprint,
            is_linked=is_linked,
        )
    )
    for item in filled.found:
        digest = filled.digests[item.path]
        if work.digest is not None and digest != work.digest:
            raise DigestMismatchError(digest)
        work.progress(item.size_bytes, 1)
    others = tuple(item for item in work.objects if not _is_pinned(item))
    if not others:
        return filled.digests
    return {**filled.digests, **await fetch(client, replace(work, objects=others), directory)}


def identity(bucket: Bucket, item: PlannedObject) -> str:
    """Return what the content of an object is known by.

    An ETag stands for one content of a key, whichever version has it. What was read without
    credentials and what was read with them are kept apart: who may list may not always read.
    """
    access = "unsigned" if bucket.is_anonymous else "signed"
    place = f"{bucket.location.base} {access}"
    return f"s3 {place} {item.etag.strip(chr(34))} {item.size_bytes} {item.key}"


def _is_pinned(item: PlannedObject) -> bool:
    return item.etag.startswith('"') and not item.is_directory
