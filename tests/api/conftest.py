"""One server for all tests of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_asyncio

from tests.support.api_server import Stage, open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    """Serve what tests put on, at one address."""
    async with open_stage() as opened:
        yield opened
