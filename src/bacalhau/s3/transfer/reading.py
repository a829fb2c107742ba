"""Reading objects, or ranges of them, as they were planned (spec storage.md 4.2, 4.3)."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import aiohttp

from bacalhau.lib.readable import readable
from bacalhau.s3.requests.client import ATTEMPTS, Bucket, Call, unanswered
from bacalhau.s3.requests.responses import MalformedResponseError, ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator

    from bacalhau.ports import PlannedObject
    from bacalhau.ports.plugin import Progress
    from bacalhau.s3.requests.client import S3Client

RANGE_BYTES = 8 * 1024 * 1024
_ADVANCE_BYTES = 1024 * 1024
_OPERATION = "GetObject"
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fetch:
    """What to fetch: ``version`` and ``digest`` concern a single object; ``small_at_once`` > 0.

    ``versions`` is filled with the versions that the server tells with the bytes, by path.
    """

    bucket: Bucket
    objects: tuple[PlannedObject, ...]
    version: str = ""
    digest: bytes | None = None
    small_at_once: int
    range_bytes: int = RANGE_BYTES
    part_name: str
    progress: Progress
    versions: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads what a plan names. ``modified`` has the times of change that servers told, by key."""

    client: S3Client
    work: Fetch
    modified: dict[str, float] = field(default_factory=dict)

    async def chunks(self, item: PlannedObject, start: int, end: int) -> AsyncGenerator[bytes]:
        """Yield the bytes of a range, going on where an answer broke off.

        Raises:
            ServiceError: the server refuses, or does not deliver after several attempts.
            MalformedResponseError: it delivers something else than was asked for.
        """
        position, failures = start, 0
        while True:
            begun_at = position
            try:
                async with self.client.stream(self.call(item, position, end)) as response:
                    self._check_answer(item, position, end, response)
                    async for chunk in response.content.iter_any():
                        position += len(chunk)
                        if position > end:
                            raise MalformedResponseError(f"expected {end - start} bytes, got more")
                        yield chunk
                if position == end:
                    return
                error = _short_read(end - start, position - start)
            except (aiohttp.ClientError, TimeoutError) as exc:
                if begun_at < position == end:  # it broke behind the last byte
                    return
                error = unanswered(_OPERATION, exc)
            failures = 1 if position - begun_at >= _ADVANCE_BYTES else failures + 1
            if failures == ATTEMPTS:
                raise error
            await self.client.pause(failures - 1)

    def call(self, item: PlannedObject, start: int, end: int) -> Call:
        """Return the request for a range of an object, or for all of it."""
        headers = {"If-Match": item.etag} if item.etag.startswith('"') else {}
        if (start, end) != (0, item.size_bytes):
            headers["Range"] = f"bytes={start}-{end - 1}"
        return Call(
            operation=_OPERATION,
            method="GET",
            bucket=self.work.bucket,
            key=item.key,
            query={"versionId": self.work.version} if self.work.version else {},
            headers=headers,
        )

    def _check_answer(
        self, item: PlannedObject, start: int, end: int, response: aiohttp.ClientResponse
    ) -> None:
        """Raise when the answer is of another version, or of another range, than was asked for."""
        if not is_version_of(item, response.headers.get("ETag", "")):
            raise ServiceError(operation=_OPERATION, status=412, code="PreconditionFailed")
        expected = f"bytes {start}-{end - 1}/{item.size_bytes}"
        if (start, end) != (0, item.size_bytes) and expected != response.headers.get(
            "Content-Range"
        ):
            raise MalformedResponseError(f'the server did not answer with "{expected}"')
        length = response.content_length
        if length is not None and length != end - start:
            raise MalformedResponseError(f"expected {end - start} bytes, got {length}")
        self.note_modified(item, response.headers.get("Last-Modified", ""))
        self.note_version(item, response.headers.get("x-amz-version-id", ""))

    def note_version(self, item: PlannedObject, version: str) -> None:
        """Keep the version of an object; ``null`` is that of a bucket that keeps none."""
        if version and version != "null":
            self.work.versions[item.path] = readable(version)

    def note_modified(self, item: PlannedObject, text: str) -> None:
        """Keep a ``Last-Modified`` for the file that is made of the object."""
        modified = moment(text)
        if modified is not None:
            self.modified[item.key] = modified


def is_version_of(item: PlannedObject, etag: str) -> bool:
    """Tell whether an answer may be of the version that was planned."""
    return not (item.etag and etag) or etag.strip('"') == item.etag.strip('"')


def moment(text: str) -> float | None:
    """Return the seconds since 1970 that an HTTP date stands for; None when it is no date."""
    with suppress(ValueError, KeyError):
        # The only form that is allowed, and read a tenth as fast by the standard library.
        if len(text) == 29 and text.endswith(" GMT"):
            clock = (int(text[17:19]), int(text[20:22]), int(text[23:25]))
            day = (int(text[12:16]), _MONTHS[text[8:11]], int(text[5:7]))
            return datetime(*day, *clock, tzinfo=UTC).timestamp()
    with suppress(ValueError):
        return parsedate_to_datetime(text).timestamp()
    return None


@contextmanager
def naming(item: PlannedObject) -> Iterator[None]:
    """Put the name of an object on what goes wrong with it."""
    try:
        yield
    except (ServiceError, MalformedResponseError) as exc:
        exc.key = item.key
        raise


def _short_read(expected: int, got: int) -> ServiceError:
    return ServiceError(
        operation=_OPERATION,
        status=0,
        code="ServiceUnavailable",
        reason=f"short read: expected {expected} bytes, got {got}",
    )
