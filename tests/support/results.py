"""Published results, and downloading them without a command line."""

from __future__ import annotations

import hashlib
import io
import tarfile
from typing import TYPE_CHECKING, Any

from bacalhau.client.download import Download, download_results
from bacalhau.client.meter import Meter
from bacalhau.client.results import Content, read_results
from bacalhau.models import SpecConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.support.file_server import Files


def archive(**members: bytes | str) -> bytes:
    """Return a result archive; double underscores in names are slashes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return buffer.getvalue()


def links(files: Files, *paths: str) -> list[SpecConfig]:
    """Return results as the local publisher makes them."""
    return [SpecConfig(type="urlDownload", params={"URL": files.url + path}) for path in paths]


def plain(files: Files, content: Mapping[str, bytes], name: str = "e-1") -> SpecConfig:
    """Serve a result of plain files, and return it as it is signed."""
    for path, data in content.items():
        files.content[f"/b/{name}/{path}"] = data
    listed = [
        {
            "Path": path,
            "SizeBytes": len(data),
            "SHA256": hashlib.sha256(data).hexdigest(),
            "PreSignedURL": f"{files.url}/b/{name}/{path}?X-Amz-Signature=s",
        }
        for path, data in content.items()
    ]
    return plain_listed(files, listed, name)


def plain_listed(files: Files, listed: Sequence[Any], name: str = "e-1") -> SpecConfig:
    """Return a result of plain files with any list of them."""
    return SpecConfig(
        type="s3PreSigned",
        params={
            "PreSignedURL": f"{files.url}/b/{name}/_manifest.json?X-Amz-Signature=s",
            "SourceSpec": {"Bucket": "b", "Key": f"{name}/"},
            "Files": list(listed),
        },
    )


def download(specs: Sequence[SpecConfig], directory: Path, **options: Any) -> tuple[bool, int]:
    """Download; return whether anything was new, and how many bytes came."""
    meter = Meter()
    found = read_results(specs, contents=options.pop("contents", None))
    wanted = Download(results=found, directory=directory, **options)
    is_new = download_results(wanted, meter, lambda: None)
    return is_new, meter.now().moved_bytes


def content(path: str, data: bytes) -> Content:
    """Return what the orchestrator keeps of a file."""
    return Content(path=path, size_bytes=len(data), digest=hashlib.sha256(data).digest())


def tree(directory: Path) -> dict[str, str]:
    """Return all files below a directory with their text."""
    found = (path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_text() for path in sorted(found)}
