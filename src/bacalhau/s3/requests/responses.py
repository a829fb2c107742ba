"""What S3 servers answer, as values (spec storage.md 3.3, 4.6)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus
from xml.etree import ElementTree

import msgspec

from bacalhau.lib.readable import readable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_HEAD_CODES = {
    301: "MovedPermanently",
    307: "TemporaryRedirect",
    400: "BadRequest",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    412: "PreconditionFailed",
    416: "InvalidRange",
    503: "ServiceUnavailable",
}
_TRANSIENT_CODES = frozenset(
    {
        "InternalError",
        "RequestTimeout",
        "RequestTimeoutException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequests",
        "RequestLimitExceeded",
        "ServiceUnavailable",
    }
)


class MalformedResponseError(ValueError):
    """An answer that no S3 server gives. ``key`` is the object that it was about, if known."""

    key = ""


@dataclass(eq=False)
class ServiceError(Exception):
    """A refusal. ``code`` is that of S3; ``region`` is where the server says the bucket is.

    ``status`` 0 means that no answer came at all; ``reason`` then says why. ``hint`` is a remedy
    that was found out by asking further. ``key`` is the object that it was about, where known.
    """

    operation: str
    status: int
    code: str
    reason: str = ""
    request_id: str = ""
    region: str = ""
    hint: str = ""
    key: str = ""

    @property
    def is_transient(self) -> bool:
        """True when the same request may succeed in a moment."""
        return self.status in (0, 429, 500, 502, 503, 504) or self.code in _TRANSIENT_CODES


class ListedObject(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One entry of a bucket. ``size_bytes`` is None where the server does not tell it."""

    key: str
    size_bytes: int | None
    etag: str = ""
    version: str = ""

    @property
    def is_marker(self) -> bool:
        """True for an object that stands for a directory."""
        return self.key.endswith("/")


@dataclass(frozen=True, slots=True)
class ListingPage:
    """Up to 1,000 entries, and the token that asks for more; empty at the end."""

    objects: tuple[ListedObject, ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """What a server tells of one object. ``checksum_sha256`` is base64, with ``-N`` if composite.

    ``content_type`` None: the server sent none.
    """

    size_bytes: int
    etag: str
    version: str
    content_type: str | None
    checksum_sha256: str


def parse_error(
    operation: str, status: int, headers: Mapping[str, str], body: bytes
) -> ServiceError:
    """Read an answer with an error status; one without a body says it with the status alone."""
    fields: dict[str, str] = {}
    with suppress(MalformedResponseError):  # a proxy's HTML, say: the status has to do
        fields = {_name(item): item.text or "" for item in _parse(body)} if body else {}
    return ServiceError(
        operation=operation,
        status=status,
        code=fields.get("Code") or _HEAD_CODES.get(status, "UnknownError"),
        reason=fields.get("Message", ""),
        request_id=_told(headers, "x-amz-request-id") or fields.get("RequestId", ""),
        region=_told(headers, "x-amz-bucket-region") or fields.get("Region", ""),
    )


def parse_listing(body: bytes) -> ListingPage:
    """Read a page of ListObjectsV2 that was asked for with ``encoding-type=url``.

    Raises:
        MalformedResponseError: the answer is something else.
    """
    root = _parse(body)
    if _name(root) != "ListBucketResult":
        raise MalformedResponseError(f"expected a ListBucketResult, got {_name(root)}")
    fields = {_name(item): item.text or "" for item in root}
    is_encoded = fields.get("EncodingType") == "url"
    objects = tuple(_entry(item, is_encoded) for item in root if _name(item) == "Contents")
    is_truncated = fields.get("IsTruncated") == "true"
    token = fields.get("NextContinuationToken", "")
    if is_truncated and not token:
        raise MalformedResponseError("the listing is cut off without a continuation token")
    return ListingPage(objects=objects, next_token=token if is_truncated else "")


def parse_facts(headers: Mapping[str, str]) -> ObjectFacts:
    """Read the headers of HeadObject.

    Raises:
        MalformedResponseError: there is no length.
    """
    size = _number(headers.get("Content-Length", ""))
    if size is None:
        raise MalformedResponseError("the answer has no Content-Length")
    version = _told(headers, "x-amz-version-id")
    return ObjectFacts(
        size_bytes=size,
        etag=_told(headers, "ETag"),
        version="" if version == "null" else version,
        content_type=headers.get("Content-Type"),
        checksum_sha256=_told(headers, "x-amz-checksum-sha256"),
    )


def parse_upload_id(body: bytes) -> str:
    """Read the answer that begins a multipart upload.

    Raises:
        MalformedResponseError: the answer is something else.
    """
    for item in _parse(body):
        if _name(item) == "UploadId" and item.text:
            return item.text
    raise MalformedResponseError("the answer has no UploadId")


def completion_error(operation: str, body: bytes) -> ServiceError | None:
    """Find the error that S3 may put into a successful answer to CompleteMultipartUpload."""
    if _name(_parse(body)) != "Error":
        return None
    return parse_error(operation, 500, {}, body)


def completion_request(parts: Sequence[tuple[str, str]]) -> bytes:
    """Write the request that joins the parts of an upload, in order.

    Each part is its ETag, and its SHA-256 in base64 where it was sent along, or else empty.
    """
    root = ElementTree.Element("CompleteMultipartUpload")
    for number, (etag, checksum) in enumerate(parts, start=1):
        part = ElementTree.SubElement(root, "Part")
        ElementTree.SubElement(part, "PartNumber").text = str(number)
        ElementTree.SubElement(part, "ETag").text = etag
        if checksum:
            ElementTree.SubElement(part, "ChecksumSHA256").text = checksum
    return ElementTree.tostring(root)


def parse_uploads(body: bytes) -> list[tuple[str, str]]:
    """Read which uploads were begun and not completed, asked for without ``encoding-type``.

    (Ceph encodes the keys when it is asked to, but does not say so.)

    Returns:
        Keys and ids of uploads.

    Raises:
        MalformedResponseError: the answer is something else.
    """
    root = _parse(body)
    if _name(root) != "ListMultipartUploadsResult":
        raise MalformedResponseError(f"expected a ListMultipartUploadsResult, got {_name(root)}")
    uploads = (
        {_name(field): field.text or "" for field in item}
        for item in root
        if _name(item) == "Upload"
    )
    return [(fields.get("Key", ""), fields.get("UploadId", "")) for fields in uploads]


def _entry(item: ElementTree.Element, is_encoded: bool) -> ListedObject:
    fields = {_name(field): field.text or "" for field in item}
    key = fields.get("Key", "")
    try:
        key = unquote_plus(key, errors="strict") if is_encoded else key
    except UnicodeDecodeError as exc:
        raise MalformedResponseError(f"the key {key!r} is not UTF-8") from exc
    return ListedObject(
        key=key, size_bytes=_number(fields.get("Size", "")), etag=fields.get("ETag", "")
    )


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _parse(body: bytes) -> ElementTree.Element:
    try:
        # Expat limits the growth of entities and ElementTree fetches nothing.
        return ElementTree.fromstring(body)  # noqa: S314
    except (ElementTree.ParseError, ValueError) as exc:
        raise MalformedResponseError(f"the answer is not XML: {exc}") from exc


def _name(item: ElementTree.Element) -> str:
    return item.tag.rpartition("}")[2]


def _told(headers: Mapping[str, str], name: str) -> str:
    return readable(headers.get(name, ""))
