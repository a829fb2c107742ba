"""Fetching one file by HTTP: whole or not at all, going on where an earlier attempt stopped."""

from __future__ import annotations

import http.client
import urllib.error
import urllib.request
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bacalhau.client.failures import COMPONENT
from bacalhau.errors import BacalhauError, Code, NotFoundError, TransientError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Progress = Callable[[int, int], None]
    """Called with (bytes so far, bytes in all or 0 when unknown)."""

_CHUNK_BYTES = 1024 * 1024
_ATTEMPTS = 4
_PARTIAL, _FULL, _UNSATISFIABLE = 206, 200, 416


def fetch(url: str, destination: Path, *, stall_seconds: float, progress: Progress) -> None:
    """Fetch a URL into a file, which exists only when it is complete.

    What has arrived waits in ``NAME.part``, with the server's mark of its version in
    ``NAME.part.etag``, for this call and later ones to go on from. ``stall_seconds`` is the longest
    time without any data.

    Raises:
        UserError: not an HTTP address.
        BacalhauError: the server refuses, or the transfer broke off several times.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise UserError(f"cannot download {_shown(url)}: not an HTTP address", component=COMPONENT)
    partial = _Partial(destination)
    for attempt in range(_ATTEMPTS):
        before = partial.size
        try:
            _transfer(url, partial, stall_seconds, progress)
        except (OSError, http.client.HTTPException) as exc:
            # Progress since the last attempt means that the next one may get further.
            if attempt + 1 == _ATTEMPTS or partial.size == before:
                raise _broken(url, exc) from exc
        else:
            partial.finish()
            return


class _Partial:
    """A file that is not complete yet, and the version of the original it is a part of."""

    def __init__(self, destination: Path) -> None:
        self._destination = destination
        self.path = destination.with_name(f"{destination.name}.part")
        self._mark = destination.with_name(f"{destination.name}.part.etag")

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def version(self) -> str:
        """The mark under which the server can go on; empty when it cannot."""
        return self._mark.read_text(encoding="utf-8") if self._mark.exists() else ""

    def start(self, version: str) -> None:
        """Begin anew."""
        self.path.write_bytes(b"")
        self._mark.write_text(version, encoding="utf-8")

    def finish(self) -> None:
        """Give the complete file its name."""
        self.path.replace(self._destination)
        self._mark.unlink(missing_ok=True)


def _transfer(url: str, partial: _Partial, stall_seconds: float, progress: Progress) -> None:
    request = urllib.request.Request(url)  # noqa: S310 - the scheme was checked
    if partial.size and partial.version:
        request.add_header("Range", f"bytes={partial.size}-")
        request.add_header("If-Range", partial.version)
    try:
        response = _opener().open(request, timeout=stall_seconds)
    except urllib.error.HTTPError as exc:
        with exc:
            if exc.code == _UNSATISFIABLE and partial.size:
                partial.start("")
                return _transfer(url, partial, stall_seconds, progress)
            raise _refused(url, exc) from exc
    with response:
        if response.status != _PARTIAL:
            partial.start(_version(response.headers))
        _append(response, partial, progress)
    return None


def _append(response: http.client.HTTPResponse, partial: _Partial, progress: Progress) -> None:
    done = partial.size
    length = response.headers.get("Content-Length", "")
    total = done + int(length) if length.isdecimal() else 0
    with partial.path.open("ab") as file:
        while chunk := response.read1(_CHUNK_BYTES):
            file.write(chunk)
            done += len(chunk)
            progress(done, total)
    if done < total:
        raise http.client.IncompleteRead(b"", total - done)


def _version(headers: http.client.HTTPMessage) -> str:
    """Return a mark that `If-Range` accepts: a strong ETag, else the time of the last change."""
    etag = headers.get("ETag", "")
    return etag if etag and not etag.startswith("W/") else headers.get("Last-Modified", "")


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener for HTTP alone, redirects included."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _refused(url: str, exc: urllib.error.HTTPError) -> BacalhauError:
    message = f"cannot download {_shown(url)}: the server answered {exc.code} {exc.reason}"
    if exc.code == http.client.NOT_FOUND:
        return NotFoundError(
            message,
            hint="the node that ran the job may have removed its results",
            component=COMPONENT,
        )
    if exc.code == http.client.FORBIDDEN:
        return UserError(
            message,
            code=Code.FORBIDDEN,
            hint="a signed link is valid for a limited time: ask for the results again",
            component=COMPONENT,
        )
    return TransientError(message, code=Code.NETWORK_FAILURE, component=COMPONENT)


def _broken(url: str, exc: Exception) -> TransientError:
    reason = getattr(exc, "reason", None) or exc
    return TransientError(
        f"the download of {_shown(url)} broke off: {reason}",
        code=Code.NETWORK_FAILURE,
        hint="run the same command again: it goes on where this one stopped",
        component=COMPONENT,
    )


def _shown(url: str) -> str:
    """Return a URL without its query, which may hold a signature."""
    return url.partition("?")[0]
