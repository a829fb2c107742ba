"""The module of `wasm run`: a CID or a local file, as an input source (spec cli.md 8.6)."""

from __future__ import annotations

import base64
import gzip
import io
import re
import tarfile
from pathlib import Path

from bacalhau.errors import UserError
from bacalhau.models.job import InputSource, SpecConfig

LARGEST_MODULE_BYTES = 10 * 1024 * 1024
_LARGEST_RAW_BYTES = 512
_WASM_MAGIC = b"\0asm"
_CID = re.compile(
    r"(?:.*/ipfs/)?(Qm[1-9A-HJ-NP-Za-km-z]{44}|b[a-z2-7]{58,}|z[1-9A-HJ-NP-Za-km-z]{48,})"
)


def read_module(text: str) -> InputSource:
    """Return where a module comes from; files travel within the job.

    Raises:
        UserError: neither a CID nor a file, or a file that is too large.
    """
    match = _CID.fullmatch(text)
    if match:
        return InputSource(
            source=SpecConfig(type="ipfs", params={"CID": match[1]}), alias=f"ipfs://{match[1]}"
        )
    return InputSource(source=SpecConfig(type="inline", params={"URL": inline_url(Path(text))}))


def inline_url(path: Path) -> str:
    """Return a file as a ``data:`` URL: small ones as they are, others as tar.gz.

    Raises:
        UserError: the file cannot be read, or is too large.
    """
    if path.is_dir():
        raise UserError(f'"{path}" should point to a single file', component="CLI")
    try:
        content = path.read_bytes()
    except OSError as exc:
        raise UserError(
            f'"{path}" is not a valid CID or local file: {exc.strerror}', component="CLI"
        ) from exc
    if len(content) > LARGEST_MODULE_BYTES:
        raise UserError(
            f'"{path}" has {len(content)} bytes; a module may have up to {LARGEST_MODULE_BYTES}',
            hint="store it elsewhere and write a job file whose EntryModule names that place",
            component="CLI",
        )
    if len(content) <= _LARGEST_RAW_BYTES:
        kind = "application/wasm" if content.startswith(_WASM_MAGIC) else "application/octet-stream"
        return data_url(kind, content)
    return data_url("application/gzip", _archived(path.name, content))


def _archived(name: str, content: bytes) -> bytes:
    """Return a tar.gz of one file, the same for the same content."""
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.GNU_FORMAT) as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), mtime=0)


def data_url(kind: str, content: bytes) -> str:
    """Return content as a ``data:`` URL of a media type."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
