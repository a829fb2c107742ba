"""The lanes of one run over many small objects; see ``connections.lane``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.lib.outbound import ForbiddenAddressError
from bacalhau.s3.connections.lane import OddAnswerError
from bacalhau.s3.transfer.direct import DirectRequests

if TYPE_CHECKING:
    from bacalhau.s3.connections.lane import Answer, Lane
    from bacalhau.s3.requests.client import Call, S3Client
    from bacalhau.s3.server.endpoints import Location


class Lanes:
    """Lanes that are opened as they are needed, as many as are in use at once."""

    def __init__(self, client: S3Client) -> None:
        self._direct = client.direct
        self._requests = DirectRequests(client)
        self._idle: list[Lane] = []
        self._location: Location | None = None

    async def get(self, call: Call, size_bytes: int) -> Answer | None:
        """Return the answer to a request; None when it has to be made in the general way.

        Raises:
            UserError: the credentials of this node are broken.
        """
        found = await self._requests.prepare(call)
        if found is None:
            return None
        location, head = found
        if location is not self._location:  # another region, maybe another host
            self.close()
            self._location = location
        try:
            lane = self._take() or await self._direct.open_lane(location)
            answer = await lane.get(head, size_bytes)
        except (OSError, TimeoutError, OddAnswerError, ForbiddenAddressError):
            self._requests.note(is_answered=False)
            return None
        self._requests.note(is_answered=True)
        if lane.is_open and location is self._location:
            self._idle.append(lane)
        else:
            lane.close()
        return answer

    def _take(self) -> Lane | None:
        while self._idle:
            lane = self._idle.pop()
            if lane.is_open:  # else the server has closed it
                return lane
        return None

    def close(self) -> None:
        """Close the lanes that nobody uses."""
        for lane in self._idle:
            lane.close()
        self._idle.clear()
