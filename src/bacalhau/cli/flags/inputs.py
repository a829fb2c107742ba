"""``-i/--input``: one input source (spec storage.md 2.2, cli.md 9.5)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bacalhau.cli.flags.record import percent_decoded, read_fields, scheme_of
from bacalhau.models.job import InputSource, SpecConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

DEFAULT_TARGET = "/inputs"

_SOURCE_KEYS = ("source", "src")
_TARGET_KEYS = ("target", "dst", "destination")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})

_S3_TEXT_OPTIONS = {
    "endpoint": "Endpoint",
    "region": "Region",
    "filter": "Filter",
    "versionid": "VersionID",
    "version-id": "VersionID",
    "version_id": "VersionID",
    "checksum-256": "ChecksumSHA256",
    "checksum256": "ChecksumSHA256",
    "checksum_256": "ChecksumSHA256",
    "checksumsha256": "ChecksumSHA256",
    "checksum-sha256": "ChecksumSHA256",
    "request-payer": "RequestPayer",
    "addressing-style": "AddressingStyle",
}
_S3_PARTITION_OPTIONS = {
    "partition-type": "Type",
    "partition-pattern": "Pattern",
    "partition-start-index": "StartIndex",
    "partition-end-index": "EndIndex",
    "partition-date-format": "DateFormat",
}
_S3_ALWAYS = ("Bucket", "Key", "Filter", "Region", "Endpoint", "VersionID", "ChecksumSHA256")


def read_input(text: str) -> InputSource:
    """Read one ``--input`` value.

    Raises:
        ValueError: what is wrong with it.
    """
    if not text:
        raise ValueError("it is empty; write s3://BUCKET/KEY[:TARGET]")
    record = read_fields(text, (*_SOURCE_KEYS, *_TARGET_KEYS), "storage")
    named_targets = [record.keys[key] for key in _TARGET_KEYS if key in record.keys]
    bare, bare_target = _split_target(record.bare, has_target=bool(named_targets))
    sources = [record.keys[key] for key in _SOURCE_KEYS if key in record.keys]
    location = _only([bare, *sources] if bare else sources, "sources")
    target = _only(named_targets, "targets")
    target = bare_target if target is None else target
    if not location:
        raise ValueError("it names no source; write src=s3://BUCKET/KEY")
    return InputSource(
        source=_source(location.strip(" '\""), record.options),
        alias=location,
        target=(DEFAULT_TARGET if target is None else target).strip(" '\""),
    )


def number_aliases(sources: Sequence[InputSource]) -> list[InputSource]:
    """Give the second and later uses of the same location an alias of their own."""
    seen: dict[str, int] = {}
    numbered = []
    for source in sources:
        count = seen[source.alias] = seen.get(source.alias, 0) + 1
        alias = f"{source.alias}#{count}" if count > 1 else source.alias
        numbered.append(InputSource(source=source.source, alias=alias, target=source.target))
    return numbered


def _only(found: Sequence[str], what: str) -> str | None:
    if len(found) > 1:
        raise ValueError(f"it has two {what}, {found[0]} and {found[1]}; repeat -i for each input")
    return found[0] if found else None


def _split_target(bare: str, *, has_target: bool) -> tuple[str, str | None]:
    """Cut ``LOCATION[:TARGET]`` at its last colon, if that is one between the two."""
    scheme = scheme_of(bare)
    prefix_length = bare.index("://") + 3 if scheme else 0
    before, colon, behind = bare[prefix_length:].rpartition(":")
    is_absolute = behind.startswith("/")
    if not colon or (has_target and not is_absolute):
        return bare, None
    # In a URL a colon may stand before a port or within the query.
    if scheme in ("http", "https") and not is_absolute:
        return bare, None
    if not scheme and before.lower() in ("s3", "ipfs", "http", "https", "file"):
        raise ValueError(f"{bare}: write {before.lower()}://{behind.lstrip('/')}")
    if scheme == "s3" and not is_absolute:
        raise ValueError(
            f'"{behind}" behind the last colon would be the target, which begins with "/"; '
            f"if it belongs to the key, write src={bare},dst={DEFAULT_TARGET}"
        )
    return bare[:prefix_length] + before, behind


def _source(location: str, options: dict[str, str]) -> SpecConfig:
    match = _SCHEME.match(location)
    scheme = match[1].lower() if match else ""
    rest = location[match.end() :].removeprefix("//") if match else location
    if scheme == "s3":
        return SpecConfig(type="s3", params=_s3_params(rest, options))
    if scheme in ("http", "https"):
        return SpecConfig(type="urlDownload", params={"URL": _checked_url(location, rest)})
    if scheme == "ipfs":
        return SpecConfig(type="ipfs", params={"CID": _content_id(rest)})
    if scheme == "file":
        return SpecConfig(type="localDirectory", params=_local_params(rest, options))
    if scheme in ("git", "gitlfs"):
        raise ValueError(f"unsupported type: {scheme}")
    name = scheme or location.partition(":")[0].lower()
    raise ValueError(
        f"unknown storage schema: {name}. Write one of s3://, https://, http://, ipfs://, file://"
    )


def _checked_url(location: str, rest: str) -> str:
    if "/" not in rest.partition("?")[0].partition("#")[0]:
        raise ValueError(f"{location}: URL must end with a file name")
    return location


def _content_id(rest: str) -> str:
    content_id = rest.partition("/")[0]
    if not content_id:
        raise ValueError("ipfs:// needs a CID: ipfs://CID")
    return content_id


def _local_params(rest: str, options: dict[str, str]) -> dict[str, Any]:
    writable = False
    for option, value in options.items():
        if option.lower() not in ("rw", "read-write", "read_write", "readwrite"):
            raise ValueError(f"unknown option {option}")
        if value not in _TRUE and value not in _FALSE:
            raise ValueError(f'option {option}: "{value}" is neither true nor false')
        writable = value in _TRUE
    path = percent_decoded(rest)
    if not path:
        raise ValueError("file:// needs a path: file:///path")
    return {"SourcePath": path, "ReadWrite": writable}


def _s3_params(rest: str, options: dict[str, str]) -> dict[str, Any]:
    for mark, code in (("?", "%3F"), ("#", "%23")):
        if mark in rest:
            raise ValueError(
                f'"{mark}" in s3://{rest} would be read as the end of the key: write {code}'
            )
    bucket, _, key = rest.partition("/")
    if key.startswith("/"):
        raise ValueError(
            f"the key of s3://{rest} starts with a slash, which this form cannot say: "
            "use a job file with Bucket and Key"
        )
    if not bucket:
        raise ValueError("s3:// needs a bucket: s3://BUCKET/KEY")
    params: dict[str, Any] = dict.fromkeys(_S3_ALWAYS, "")
    params |= {"Bucket": percent_decoded(bucket), "Key": percent_decoded(key).lstrip("/")}
    for option, value in options.items():
        _apply_s3_option(params, option, value)
    return params


def _apply_s3_option(params: dict[str, Any], option: str, value: str) -> None:
    name = option.lower()
    if name in _S3_TEXT_OPTIONS:
        params[_S3_TEXT_OPTIONS[name]] = value
    elif name == "anonymous":
        if value not in _TRUE and value not in _FALSE:
            raise ValueError(f'option anonymous: "{value}" is neither true nor false')
        params["Anonymous"] = value in _TRUE
    elif name in _S3_PARTITION_OPTIONS:
        field = _S3_PARTITION_OPTIONS[name]
        partition = params.setdefault("Partition", {})
        partition[field] = _index(option, value) if field.endswith("Index") else value
    else:
        raise ValueError(f'unknown option "{option}" for storage s3')


def _index(option: str, value: str) -> int:
    if not value.isdecimal():
        raise ValueError(f'option {option}: "{value}" is not a whole number')
    return int(value)
