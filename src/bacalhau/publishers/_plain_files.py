"""Results in S3 as an object a file, and a manifest of them (spec storage.md 9.3).

What object storage has no form for is left out: empty directories, links, and what is no file.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bacalhau.errors import Code, ValidationError
from bacalhau.lib.archives import walk
from bacalhau.lib.parallel import in_parallel
from bacalhau.lib.threads import run_to_end
from bacalhau.models.specs.s3 import MANIFEST
from bacalhau.ports import PublishedFile
from bacalhau.publishers._results import on_disk, warn_of_left_out
from bacalhau.s3.requests.client import Call
from bacalhau.s3.requests.responses import ServiceError
from bacalhau.s3.results.keys import MAX_KEY_BYTES
from bacalhau.s3.results.manifest import (
    CONTENT_TYPE,
    VERSION,
    Manifest,
    ManifestFile,
    encode_manifest,
)
from bacalhau.s3.results.upload import SINGLE_BYTES, give_up_leftovers, upload, upload_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.lib.budget import ByteBudget
    from bacalhau.models import Execution
    from bacalhau.ports import PublishProgress
    from bacalhau.s3.requests.client import Bucket, S3Client
    from bacalhau.s3.results.upload import Stored

_FILES_AT_ONCE = 16
_ANSWER_LIMIT_BYTES = 64 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where the files go: keys begin with ``prefix``, which ends with a slash.

    ``is_own``: nobody else stores anything there.
    """

    bucket: Bucket
    prefix: str
    is_own: bool


async def publish_plain(
    client: S3Client,
    place: Place,
    execution: Execution,
    results: Path,
    progress: PublishProgress,
    *,
    memory: ByteBudget,
    component: str,
) -> tuple[tuple[PublishedFile, ...], Stored]:
    """Store every file, and then the manifest; return the files, and the manifest as stored.

    Nothing is stored before all names are known to fit. A manifest of an earlier time goes first,
    so that there is none while the files change.

    Cancellation: files that were stored stay, without a manifest.

    Raises:
        ValidationError: a name is not possible there.
        TransientError: the disk refuses.
        ServiceError: the server refuses, or did not answer several times; so is
            ``MalformedResponseError``.
    """
    sizes = await run_to_end(client.executor, partial(_sizes, execution, results, component))
    names = list(sizes)
    _refuse_names(names, place, component)
    advance = progress.publishing(sum(sizes.values()), len(names))
    await _withdraw(client, place)
    if place.is_own and any(size > SINGLE_BYTES for size in sizes.values()):
        await give_up_leftovers(client, place.bucket, place.prefix)
    stored: dict[str, Stored] = {}

    async def store(name: str) -> None:
        key, path = place.prefix + name, results / name
        with on_disk("read", component):
            stored[name] = await upload(
                client, place.bucket, key, path, memory, lambda count: advance(count, 0)
            )
        advance(0, 1)

    await in_parallel(names, _FILES_AT_ONCE, store)
    manifest = Manifest(
        version=VERSION,
        job_id=execution.job_id,
        execution_id=execution.id,
        files=tuple(_entry(name, stored[name]) for name in names),
    )
    kept = await upload_bytes(
        client, place.bucket, place.prefix + MANIFEST, encode_manifest(manifest), CONTENT_TYPE
    )
    return tuple(_published(name, stored[name]) for name in names), kept


def _sizes(execution: Execution, results: Path, component: str) -> dict[str, int]:
    """Return the sizes of all files by their names, which are sorted."""
    sizes: dict[str, int] = {}
    left_out = []
    with on_disk("read", component):
        for name, path in walk(results):
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                sizes[name] = status.st_size
            elif not stat.S_ISDIR(status.st_mode):
                left_out.append(name)
    warn_of_left_out(execution, left_out)
    return dict(sorted(sizes.items()))


def _refuse_names(names: list[str], place: Place, component: str) -> None:
    taken = [name for name in names if name.partition("/")[0] == MANIFEST]
    if taken:
        raise ValidationError(
            f'the results have "{taken[0]}", but {MANIFEST} is the name of their manifest',
            code=Code.S3_BAD_REQUEST,
            component=component,
            hint="give the result path or file another name, or publish one archive instead: "
            "Encoding gzip",
            fields=["Params.Encoding"],
        )
    for name in [*names, MANIFEST]:
        encoded = os.fsencode(name)
        size = len(place.prefix.encode()) + len(encoded)
        problem = "longer than 1,024 bytes" if size > MAX_KEY_BYTES else ""
        if encoded.decode(errors="replace") != name:
            problem = "no UTF-8"
        if problem:
            raise ValidationError(
                f"the key of {name!r} below {place.prefix!r} would be {problem}",
                code=Code.S3_BAD_REQUEST,
                component=component,
                hint="shorten Key, rename the file, or publish one archive instead: Encoding gzip",
                fields=["Params.Key"],
            )


async def _withdraw(client: S3Client, place: Place) -> None:
    """Remove a manifest that is there, if the server allows it; there rarely is one."""
    call = partial(Call, bucket=place.bucket, key=place.prefix + MANIFEST)
    try:
        await client.read(call(operation="HeadObject", method="HEAD"), 0)
        await client.read(call(operation="DeleteObject", method="DELETE"), _ANSWER_LIMIT_BYTES)
    except ServiceError as exc:
        if exc.is_transient:
            raise


def _entry(name: str, stored: Stored) -> ManifestFile:
    return ManifestFile(
        path=name,
        size_bytes=stored.size_bytes,
        sha256=stored.digest.hex(),
        version_id=stored.version,
    )


def _published(name: str, stored: Stored) -> PublishedFile:
    return PublishedFile(path=name, size_bytes=stored.size_bytes, digest=stored.digest)
