"""The pipes of one run over large objects; see ``connections.pipe``."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from bacalhau.lib.outbound import ForbiddenAddressError
from bacalhau.s3.connections.lane import OddAnswerError
from bacalhau.s3.transfer.direct import DirectRequests

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.s3.connections.pipe import Pipe, Range
    from bacalhau.s3.requests.client import Call, S3Client


class Pipes:
    """Pipes that are opened as they are needed, as many as are in use at once."""

    def __init__(self, client: S3Client) -> None:
        self._direct = client.direct
        self._requests = DirectRequests(client)
        self._idle: list[tuple[str, Pipe]] = []

    async def fetch(
        self, call: Call, wanted: Range, progress: Callable[[int], None]
    ) -> tuple[int, str]:
        """Fill a part of a file; return how many bytes came, and ``Last-Modified``.

        What is missing has to be asked for in the general way.

        Cancellation: the transfer stops and is waited for.

        Raises:
            UserError: the credentials of this node are broken.
            OSError: the disk refuses.
        """
        found = await self._requests.prepare(call)
        if found is None:
            return 0, ""
        location, head = found
        try:
            pipe = self._take(location.base) or await self._direct.open_pipe(location)
        except (OSError, TimeoutError, OddAnswerError, ForbiddenAddressError):
            pipe = None
        if pipe is None:
            self._requests.note(is_answered=False)
            return 0, ""
        try:
            got, modified = await self._run(pipe, head, wanted, progress)
        finally:
            if pipe.is_open:
                self._idle.append((location.base, pipe))
        self._requests.note(is_answered=bool(got))
        return got, modified

    def close(self) -> None:
        """Close the pipes that nobody uses."""
        for _, pipe in self._idle:
            pipe.close()
        self._idle.clear()

    def _take(self, base: str) -> Pipe | None:
        while self._idle:
            place, pipe = self._idle.pop()
            if place == base:
                return pipe
            pipe.close()
        return None

    async def _run(
        self, pipe: Pipe, head: bytes, wanted: Range, progress: Callable[[int], None]
    ) -> tuple[int, str]:
        loop = asyncio.get_running_loop()

        def advance(got: int) -> None:
            loop.call_soon_threadsafe(progress, got)

        work = partial(pipe.fetch, head, wanted, advance)
        future = loop.run_in_executor(self._direct.threads, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            pipe.abort()
            await asyncio.wait([future])
            if not future.cancelled():
                future.exception()  # seen
            pipe.close()
            raise
