"""Requests for lanes and pipes, as long as a server answers these as it should."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bacalhau.s3.connections.lane import OddAnswerError, request

if TYPE_CHECKING:
    from bacalhau.s3.requests.client import Call, S3Client
    from bacalhau.s3.server.endpoints import Location

_FAILURES_IN_A_ROW = 8


class DirectRequests:
    """Writes the requests of one run.

    A server that answers in its own way several times in a row is left to the general way, as is
    one behind a proxy.
    """

    def __init__(self, client: S3Client) -> None:
        self._client = client
        self._failures = 0

    async def prepare(self, call: Call) -> tuple[Location, bytes] | None:
        """Return where a request goes, and its bytes; None when the general way has to make it.

        Raises:
            UserError: the credentials of this node are broken.
            ForbiddenAddressError: no job may reach the server.
        """
        if self._failures >= _FAILURES_IN_A_ROW:
            return None
        location, url, headers = await self._client.prepare(call)
        if self._client.has_proxy(location):
            self._failures = _FAILURES_IN_A_ROW
            return None
        place = urlsplit(location.base)
        headers.setdefault("Host", place.netloc)
        try:
            return location, request(url[len(place.scheme) + 3 + len(place.netloc) :], headers)
        except OddAnswerError:
            self.note(is_answered=False)
            return None

    def note(self, *, is_answered: bool) -> None:
        """Count how often in a row the server did not answer as it should."""
        self._failures = 0 if is_answered else self._failures + 1
