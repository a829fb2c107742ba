"""The list of plain results, which is stored last: where it is, results are complete.

It lies beside the files as ``_manifest.json``, as the ``_SUCCESS`` of other programs does.
"""

from __future__ import annotations

import re

import msgspec

from bacalhau.lib.paths import clean_relative
from bacalhau.models.params import ParamsModel

CONTENT_TYPE = "application/json"
VERSION = 1
LIMIT_BYTES = 32 * 1024 * 1024
"""The longest manifest that is read: one of about 150,000 files."""

_DIGEST = re.compile(r"[0-9a-f]{64}")


class ManifestFile(ParamsModel, frozen=True, kw_only=True, omit_defaults=True):
    """A file: its path below the results, its SHA-256 in hexadecimal, its version if it has one."""

    path: str
    size_bytes: int
    sha256: str
    version_id: str = ""


class Manifest(ParamsModel, frozen=True, kw_only=True):
    """All files of the results of one execution, in the order of their paths."""

    version: int
    job_id: str
    execution_id: str
    files: tuple[ManifestFile, ...]


def encode_manifest(manifest: Manifest) -> bytes:
    """Write a manifest as JSON."""
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode_manifest(body: bytes, *, job_id: str, execution_id: str) -> Manifest:
    """Read the manifest of an execution; whoever can write to the bucket may have made it.

    Raises:
        ValueError: it is something else, of another execution, or names a file that no results
            directory can have.
    """
    try:
        manifest = msgspec.json.decode(body, type=Manifest)
    except (msgspec.MsgspecError, RecursionError) as exc:
        raise ValueError(f"it is not a manifest: {exc}") from exc
    if manifest.version != VERSION:
        raise ValueError(f"its version is {manifest.version}, which is not known here")
    if (manifest.job_id, manifest.execution_id) != (job_id, execution_id):
        raise ValueError(f"it is that of execution {manifest.execution_id!r}")
    for file in manifest.files:
        is_path = bool(file.path) and clean_relative(file.path) == file.path
        if not is_path or file.size_bytes < 0 or not _DIGEST.fullmatch(file.sha256):
            raise ValueError(f"its file {file.path!r} is not one")
    if len({file.path for file in manifest.files}) != len(manifest.files):
        raise ValueError("it names a file twice")
    return manifest
