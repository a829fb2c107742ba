"""A bound on what is in memory at once."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ByteBudget:
    """Bytes that several tasks share; who asks first gets them first."""

    def __init__(self, limit_bytes: int) -> None:
        assert limit_bytes > 0, "somebody has to get something"
        self._limit_bytes = limit_bytes
        self._free_bytes = limit_bytes
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def hold(self, size_bytes: int) -> AsyncIterator[None]:
        """Wait for so many bytes, and hold them until the context ends.

        Who wants more than there are in all gets them when nobody else holds any.
        """
        size_bytes = min(size_bytes, self._limit_bytes)
        async with self._turn:
            while self._free_bytes < size_bytes:
                self._freed.clear()
                await self._freed.wait()
            self._free_bytes -= size_bytes
        try:
            yield
        finally:
            self._free_bytes += size_bytes
            self._freed.set()
