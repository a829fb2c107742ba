"""Results as an orchestrator lists them, as files to fetch (spec storage.md 8.1, 8.2, 9.3).

A result is one file, as a rule an archive, or many files as they were written. What is said about
the latter comes from wherever the job ran, and is checked before anything is fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from bacalhau.client.addresses import Link
from bacalhau.client.failures import COMPONENT
from bacalhau.client.partial import PARTIAL_SUFFIXES
from bacalhau.client.web import split_url
from bacalhau.errors import Code, UserError
from bacalhau.lib.digests import parse_digest
from bacalhau.lib.paths import clean_relative
from bacalhau.models.specs.s3 import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.client.addresses import Address
    from bacalhau.models.job import SpecConfig

ARCHIVES = (".tar.gz", ".tgz")
OPENED, PARTS = ".opened", ".parts"
"""Beside a result in ``raw``: what was in the archive, and files of a tree that are incomplete."""


_RESERVED = (OPENED, PARTS, *PARTIAL_SUFFIXES)
_UNSAFE = re.compile(r'[/\\:*?"<>|\x00-\x1f]')
_LONGEST_NAME_BYTES = 200
_MAX_BYTES = 2**63


@dataclass(frozen=True, kw_only=True, slots=True)
class PublishedFile:
    """A file of a result. ``path`` is clean and relative; "" where the result is one file."""

    address: Address
    path: str = ""
    size_bytes: int | None = None
    digest: bytes | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """A file that is in a result. ``digest`` is its SHA-256; both None where that is not known."""

    path: str
    size_bytes: int | None
    digest: bytes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """The published result of one execution. ``name`` is what it is called in ``raw``.

    ``files`` are what there is to fetch: one, or all files of a tree. ``contents`` are the files
    that come of it, as far as anybody knows them before; links and folders are not among them.
    """

    name: str
    files: tuple[PublishedFile, ...]
    is_tree: bool = False
    contents: tuple[Content, ...] | None = None

    @property
    def is_archive(self) -> bool:
        """True for a file that is to be unpacked."""
        return not self.is_tree and self.name.endswith(ARCHIVES)


class DirectAccess(Protocol):
    """The way to objects with the user's own credentials."""

    def result(self, spec: SpecConfig) -> Result:
        """Return a result of type ``s3``.

        Raises:
            BacalhauError: it cannot be found, or what it says makes no sense.
        """
        ...


def is_supported(spec: SpecConfig, *, is_direct: bool) -> bool:
    """Tell whether a result can be downloaded; ``is_direct``: by a user with S3 credentials."""
    return spec.kind in ("urldownload", "s3presigned") or (is_direct and spec.kind == "s3")


def read_results(
    specs: Sequence[SpecConfig],
    direct: DirectAccess | None = None,
    contents: Sequence[tuple[Content, ...]] | None = None,
) -> list[Result]:
    """Read results, in their order; several that are the same object count once.

    ``contents`` are those of each, where the orchestrator keeps them.

    Raises:
        UserError: one has no address, or holds files that cannot be where it says.
        BacalhauError: one cannot be looked up.
    """
    results: dict[str, Result] = {}
    for index, spec in enumerate(specs):
        result = _linked(spec) if direct is None or spec.kind != "s3" else direct.result(spec)
        name, number = result.name, 1
        while name in results and _place(results[name]) != _place(result):
            number += 1
            name = f"{number}_{result.name}"
        if contents is not None and not result.is_tree:
            result = replace(result, contents=contents[index])
        results.setdefault(name, replace(result, name=name))
    return list(results.values())


def file_name(url: str) -> str:
    """Return the name of a download: host and path, each unsafe character an underscore."""
    parts = urlsplit(url)
    name = _UNSAFE.sub("_", parts.netloc.rpartition("@")[2] + parts.path)
    # The end tells an archive from another file.
    name = name.encode()[-_LONGEST_NAME_BYTES:].decode("utf-8", "ignore")
    return f"{name}_" if name.endswith(_RESERVED) else name


def tree_of(
    name: str, entries: Sequence[tuple[str, int | None, str, Address]], where: str
) -> Result:
    """Return a result of many files from (path, size, SHA-256 as a text, address).

    Raises:
        UserError: code ``DamagedResult``: a path leads elsewhere, stands there twice, or is both a
            file and a folder; or a digest is none.
    """
    files: dict[str, PublishedFile] = {}
    for path, size, digest, address in entries:
        if not is_clean(path):
            raise _hostile(where, f"{path!r} is no path within it")
        if path in files:
            raise _hostile(where, f'"{path}" stands there twice')
        if size is not None and not 0 <= size < _MAX_BYTES:
            raise _hostile(where, f'"{path}" has a size of {size} bytes')
        files[path] = PublishedFile(
            address=address, path=path, size_bytes=size, digest=_digest(path, digest, where)
        )
    for path in files:
        above = path
        while "/" in above:
            above = above.rpartition("/")[0]
            if above in files:
                raise _hostile(where, f'"{above}" is both a file and a folder')
    contents = (
        Content(path=file.path, size_bytes=file.size_bytes, digest=file.digest)
        for file in files.values()
    )
    return Result(name=name, files=tuple(files.values()), is_tree=True, contents=tuple(contents))


def fields_of(value: object, where: str) -> dict[str, Any]:
    """Return an object of JSON with its names in lower case.

    Raises:
        UserError: it is something else.
    """
    if not isinstance(value, dict):
        raise _hostile(where, f"an object was expected where {value!r} is")
    return {str(name).lower(): field for name, field in value.items()}


def entry_of(value: object, where: str) -> tuple[str, int | None, str, dict[str, Any]]:
    """Return path, size, digest and all fields of a listed file.

    Raises:
        UserError: code ``DamagedResult``: one of them is of the wrong type.
    """
    fields = fields_of(value, where)
    path, size, digest = fields.get("path"), fields.get("sizebytes"), fields.get("sha256", "")
    if not isinstance(path, str):
        raise _hostile(where, "a file has no Path")
    if isinstance(size, bool) or not isinstance(size, int | None) or not isinstance(digest, str):
        raise _hostile(where, f'"{path}" has a SizeBytes or SHA256 that is none')
    return path, size, digest, fields


def _linked(spec: SpecConfig) -> Result:
    params = fields_of(spec.params, spec.type)
    url = params.get({"urldownload": "url", "s3presigned": "presignedurl"}.get(spec.kind, ""))
    if not isinstance(url, str) or not url:
        raise UserError(
            f"a result of type {spec.type} has no address to download from", component=COMPONENT
        )
    split_url(url)
    source = fields_of(params.get("sourcespec") or {}, spec.type)
    name = file_name(url)
    if str(source.get("key", "")).endswith("/"):
        return _tree(name.removesuffix(MANIFEST).rstrip("_"), params, source)
    digest = published_digest(source.get("checksumsha256"))
    return Result(name=name, files=(PublishedFile(address=Link(url), digest=digest),))


def _tree(name: str, params: dict[str, Any], source: dict[str, Any]) -> Result:
    where = f"s3://{source.get('bucket', '')}/{source.get('key', '')}"
    listed = params.get("files")
    if not isinstance(listed, list):
        raise UserError(
            f"the result {where} comes without a list of its files",
            code=Code.DAMAGED_RESULT,
            hint="its manifest could not be read when it was signed; with credentials of your own, "
            "and Publishers.Types.S3.PreSignedURLDisabled on the server, it is read directly",
            component=COMPONENT,
        )
    entries = []
    for item in listed:
        path, size, digest, fields = entry_of(item, where)
        url = fields.get("presignedurl")
        if not isinstance(url, str):
            raise _hostile(where, f'"{path}" has no PreSignedURL')
        split_url(url)
        entries.append((path, size, digest, Link(url)))
    return tree_of(name, entries, where)


def published_digest(text: object) -> bytes | None:
    """Read the SHA-256 that a result has; None for one of a multipart upload's parts."""
    if not isinstance(text, str) or not text or "-" in text:
        return None
    return parse_digest(text) or b""  # no file has this one


def _digest(path: str, text: str, where: str) -> bytes | None:
    if not text:
        return None
    digest = parse_digest(text)
    if digest is None:
        raise _hostile(where, f'"{path}" has a SHA256 that is none: {text!r}')
    return digest


def is_clean(path: str) -> bool:
    """Tell whether a path is relative, stays where it is, and is written in its only way."""
    try:
        return bool(path) and clean_relative(path) == path
    except (ValueError, UnicodeEncodeError):
        return False


def _place(result: Result) -> set[str]:
    return {file.address.name for file in result.files}


def _hostile(where: str, reason: str) -> UserError:
    return UserError(
        f"the result {where} cannot be downloaded: {reason}",
        code=Code.DAMAGED_RESULT,
        hint="nothing was fetched; whoever ran the job can say what this list of files is",
        component=COMPONENT,
    )
