"""``--code`` of `exec`: a file or a directory that travels within the job (spec cli.md 8.13)."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

from bacalhau.cli.flags.module import data_url
from bacalhau.errors import UserError
from bacalhau.models.job import InputSource, SpecConfig

CODE_TARGET = "/code"
LARGEST_CODE_BYTES = 10 * 1024 * 1024


def read_code(text: str) -> InputSource:
    """Return code as an input: a file at ``/code/NAME``, a directory within ``/code``.

    Raises:
        UserError: it cannot be read, or is too large.
    """
    path = Path(text)
    try:
        if path.is_dir():
            url, target = data_url("application/gzip", _archived(path)), CODE_TARGET
        else:
            _check_size(path.stat().st_size, path)
            url = data_url("application/octet-stream", path.read_bytes())
            target = f"{CODE_TARGET}/{path.name}"
    except OSError as exc:
        raise UserError(f'--code "{text}": {exc.strerror}', component="CLI") from exc
    source = SpecConfig(type="inline", params={"URL": url})
    return InputSource(source=source, alias="code", target=target)


def _archived(directory: Path) -> bytes:
    """Return a tar.gz of the regular files of a directory, the same for the same content."""
    root = directory.resolve()
    files = sorted(path for path in root.rglob("*") if path.is_file() and not path.is_symlink())
    _check_size(sum(path.stat().st_size for path in files), directory)
    tar = io.BytesIO()
    with tarfile.open(fileobj=tar, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path in files:
            content = path.read_bytes()
            member = tarfile.TarInfo(path.relative_to(root.parent).as_posix())
            member.size = len(content)
            member.mode = path.stat().st_mode & 0o755
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(tar.getvalue(), mtime=0)


def _check_size(size_bytes: int, path: Path) -> None:
    if size_bytes > LARGEST_CODE_BYTES:
        raise UserError(
            f'--code "{path}" has {size_bytes} bytes; code may have up to {LARGEST_CODE_BYTES}',
            hint="name a smaller directory, or store data elsewhere and use --input",
            component="CLI",
        )
