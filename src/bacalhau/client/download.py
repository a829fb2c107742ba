"""Downloading the results of a job (spec storage.md 8.2, 8.3).

Every result is fetched into ``DIR/raw``; the archives are unpacked and their content is merged into
``DIR``. Nothing in ``DIR`` is touched before everything is fetched and known to fit.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bacalhau.client.failures import COMPONENT
from bacalhau.client.fetch import fetch
from bacalhau.client.merge import Merge
from bacalhau.errors import Code, ConflictError, NotFoundError, UserError
from bacalhau.lib.archives import ArchiveError, unpack

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bacalhau.client.fetch import Progress
    from bacalhau.models.job import SpecConfig

_UNSAFE = re.compile(r'[/\\:*?"<>|]')
_ARCHIVES = (".tar.gz", ".tgz")
_RAW = "raw"


def is_supported(result: SpecConfig) -> bool:
    """True for results that can be downloaded by HTTP."""
    return result.kind in ("urldownload", "s3presigned")


def download_results(
    results: Sequence[SpecConfig],
    directory: Path,
    *,
    stall_seconds: float,
    progress: Progress,
    raw: bool = False,
    only: str = "",
) -> None:
    """Download results into an existing directory.

    With ``raw`` the files stay in ``DIR/raw`` as they are published. ``only`` names one file or
    folder of the results; the rest is left out. After an error the directory holds nothing but
    ``raw``, from which a later call goes on.

    Raises:
        ConflictError: a file is there already; nothing was merged.
        NotFoundError: ``only`` names nothing.
        BacalhauError: a result is not supported, cannot be fetched, or is damaged.
    """
    store = directory / _RAW
    store.mkdir(exist_ok=True)
    files = []
    for result in results:
        url = result_url(result)
        path = store / file_name(url)
        if not path.exists():
            fetch(url, path, stall_seconds=stall_seconds, progress=progress)
        _verify(path, result)
        files.append(path)
    if not raw:
        _merge(files, store, directory, only)
        shutil.rmtree(store)


def result_url(result: SpecConfig) -> str:
    """Return the address of a result.

    Raises:
        UserError: the result is of another kind, or has no address.
    """
    params = {key.lower(): value for key, value in result.params.items()}
    url = params.get({"urldownload": "url", "s3presigned": "presignedurl"}.get(result.kind, ""))
    if not isinstance(url, str) or not url:
        raise UserError(
            f"a result of type {result.type} has no address to download from", component=COMPONENT
        )
    return url


def file_name(url: str) -> str:
    """Return the name of a download: host and path, each unsafe character an underscore."""
    parts = urlsplit(url)
    return _UNSAFE.sub("_", parts.netloc.rpartition("@")[2] + parts.path)


def _verify(path: Path, result: SpecConfig) -> None:
    """Compare with the checksum that the publisher got from S3, where there is one."""
    source = result.params.get("SourceSpec")
    wanted = source.get("ChecksumSHA256", "") if isinstance(source, dict) else ""
    # The checksum of a multipart upload, `...-3`, is one of its parts' checksums.
    if not isinstance(wanted, str) or not wanted or "-" in wanted:
        return
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").digest()
    if wanted not in (base64.b64encode(digest).decode(), digest.hex()):
        path.unlink()
        raise UserError(
            f"{path.name} does not have the checksum it was published with",
            code=Code.CHECKSUM_MISMATCH,
            hint="it was replaced or damaged since; run the job again if this repeats",
            component=COMPONENT,
        )


def _merge(files: Sequence[Path], store: Path, directory: Path, only: str) -> None:
    merge = Merge(directory, only=only)
    unpacked = []
    for number, path in enumerate(files):
        tree = store / f"unpacked-{number}"
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir()
        unpacked.append(tree)
        _open_result(path, tree)
        merge.add(tree)
    if merge.collision is not None:
        for tree in unpacked:
            shutil.rmtree(tree, ignore_errors=True)
        raise ConflictError(
            f"cannot merge results as output already exists: {merge.collision}. "
            "Try --raw to keep results as they are, or another directory",
            component=COMPONENT,
        )
    if only and merge.is_empty:
        raise NotFoundError(f'the results have no file "{only}"', component=COMPONENT)
    merge.apply()


def _open_result(path: Path, tree: Path) -> None:
    if not path.name.endswith(_ARCHIVES):
        shutil.copy2(path, tree / path.name)
        return
    try:
        with path.open("rb") as archive:
            unpack(archive, tree)
    except ArchiveError as exc:
        path.unlink()
        raise UserError(
            f"{path.name} is not a sound archive: {exc}",
            code=Code.DAMAGED_RESULT,
            hint="run the command again; if this repeats, look at the file with --raw",
            component=COMPONENT,
        ) from exc
