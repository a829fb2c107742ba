"""Requests for files on the web: redirects, repetitions and refusals (spec storage.md 6.2)."""

from __future__ import annotations

import asyncio
import posixpath
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote, urljoin, urlsplit

from bacalhau.errors import (
    BacalhauError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    TransientError,
    UserError,
)
from bacalhau.lib.backoff import Backoff
from bacalhau.lib.outbound import ForbiddenAddressError, check_host, proxy_for, why_unanswered
from bacalhau.lib.readable import readable
from bacalhau.lib.urls import quoted, shown

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    import aiohttp

    from bacalhau.ports import Random

COMPONENT = "URLInputSource"
MAX_REDIRECTS = 10
_BACKOFF = Backoff(initial_seconds=0.1, maximum_seconds=1.0)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_MAX_NAME_BYTES = 255
_REDIRECT_HINT = "let URL be the address of the file itself"


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is no redirect, where it came from, and after how many redirects."""

    response: aiohttp.ClientResponse
    url: str
    redirects: int

    @property
    def file_name(self) -> str:
        """The name that the file has at its origin, or an empty text when it has no usable one.

        A server that redirected may name the file in ``Content-Disposition``.
        """
        names = [unquote(urlsplit(self.url).path)]
        disposition = self.response.content_disposition
        if self.redirects and disposition is not None and disposition.filename:
            names.insert(0, disposition.filename)
        return next(filter(None, map(_base_name, names)), "")


class Web:
    """Makes requests on behalf of jobs."""

    def __init__(self, session: aiohttp.ClientSession, chance: Random, attempts: int) -> None:
        self._session = session
        self._chance = chance
        self.attempts = attempts

    @asynccontextmanager
    async def request(
        self, method: str, url: str, headers: dict[str, str] | None = None
    ) -> AsyncIterator[Answer]:
        """Make one request, follow redirects, and yield the answer with its body unread.

        Raises:
            UserError: a redirect leads in a circle, or to something that is not HTTP.
            ForbiddenError: the address is one that jobs may not reach.
            aiohttp.ClientError: no answer.
        """
        place = url
        for redirects in range(MAX_REDIRECTS + 1):
            try:
                check_host(place)
                response = await self._session.request(
                    method,
                    place,
                    headers={"Accept-Encoding": "identity", **(headers or {})},
                    allow_redirects=False,
                    proxy=proxy_for(place),
                )
            except ForbiddenAddressError as exc:
                raise ForbiddenError(
                    f"{shown(place)} is refused: {exc}",
                    component=COMPONENT,
                    hint="nodes fetch nothing from link-local addresses and metadata services",
                    fields=["Params.URL"],
                ) from exc
            async with response:
                location = response.headers.get("Location")
                if response.status not in _REDIRECTS or not location:
                    yield Answer(response, place, redirects)
                    return
                place = _redirected(place, location)
        raise UserError(
            f"{shown(url)} redirects more than {MAX_REDIRECTS} times",
            component=COMPONENT,
            hint=_REDIRECT_HINT,
        )

    async def pause(self, attempt: int) -> None:
        """Wait before another attempt; ``attempt`` counts from 0."""
        await asyncio.sleep(_BACKOFF.delay(attempt, self._chance.random()))


def refusal(status: int, message: str) -> BacalhauError:
    """Return the error for an answer with this status."""
    if status in _TRANSIENT:
        return TransientError(message, component=COMPONENT, hint="try again later")
    if status in (404, 410):
        return NotFoundError(message, component=COMPONENT, hint="check the URL")
    if status in (401, 403, 407):
        return ForbiddenError(message, component=COMPONENT, hint="the server wants credentials")
    if status == 412:
        return ConflictError(message, component=COMPONENT, retryable=True)
    return UserError(message, component=COMPONENT)


def unreachable(url: str, cause: Exception) -> TransientError:
    """Return the error for a server that does not answer, or stops in the middle."""
    return TransientError(
        f"{shown(url)} cannot be fetched: {why_unanswered(cause)}",
        component=COMPONENT,
        hint="check that the node can reach the server",
    )


def url_problem(url: str) -> str:
    """Return why a URL cannot be fetched, or an empty text."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        return f"URL is not valid: {exc}"
    if parts.scheme not in ("http", "https"):
        begin = parts.scheme or url[:20]
        return f"URLs must begin with 'http' or 'https'. The submitted one began with {begin!r}"
    if not host:
        return "URL must name a host"
    return "" if parts.path else "URL must end with a file name"


def _redirected(place: str, location: str) -> str:
    try:
        target = urljoin(place, quoted(location.encode(errors="surrogateescape")))
        problem = url_problem(target) if urlsplit(target).path else ""
    except ValueError as exc:
        raise UserError(
            f"{shown(place)} redirects to what is no URL: {exc}",
            component=COMPONENT,
            hint=_REDIRECT_HINT,
        ) from exc
    if problem:
        raise UserError(
            f"{shown(place)} redirects to {shown(target)}: {problem}",
            component=COMPONENT,
            hint=_REDIRECT_HINT,
        )
    return target


def _base_name(path: str) -> str:
    name = readable(posixpath.basename(path))
    is_usable = name not in ("", ".", "..") and "\0" not in name
    return name if is_usable and len(name.encode()) <= _MAX_NAME_BYTES else ""
