"""Sending a body, and noticing when the server takes no more of it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_PIECE_BYTES = 256 * 1024


@asynccontextmanager
async def attended(
    body: bytes, silence_seconds: float
) -> AsyncIterator[AsyncIterator[memoryview] | None]:
    """Yield a body in pieces, or None for an empty one, to be sent within the context.

    Raises:
        TimeoutError: a piece was not taken for so long. Waiting for the answer is not limited here.
    """
    if not body:
        yield None
        return
    loop = asyncio.get_running_loop()
    is_left = False
    async with asyncio.timeout(None) as silence:

        async def pieces() -> AsyncIterator[memoryview]:
            for start in range(0, len(body), _PIECE_BYTES):
                if not is_left:  # an early answer: what is left of the body is of no interest
                    silence.reschedule(loop.time() + silence_seconds)
                yield memoryview(body)[start : start + _PIECE_BYTES]
            if not is_left:
                silence.reschedule(None)

        try:
            yield pieces()
        finally:
            is_left = True
