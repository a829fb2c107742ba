"""Links to published results, for clients without credentials of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AsyncExitStack

    from bacalhau.models import Execution, Job, SpecConfig
    from bacalhau.node.roles import Host
    from bacalhau.s3.results.signing import S3ResultSigner

_CONNECTIONS = 8
_DEFAULT_SECONDS = 30 * 60
_MAX_SECONDS = 7 * 24 * 60 * 60


class LateSigner:
    """Signs results in S3 (``ports.ResultSigner``).

    What that takes is loaded and opened with the first of them; ``stack`` closes it.
    """

    def __init__(self, host: Host, stack: AsyncExitStack) -> None:
        self._host = host
        self._stack = stack
        self._opening = asyncio.Lock()
        self._signer: S3ResultSigner | None = None
        settings = host.settings
        self._is_enabled = not settings.flag("Publishers.Types.S3.PreSignedURLDisabled")
        seconds = settings.seconds("Publishers.Types.S3.PreSignedURLExpiration")
        self._seconds = link_seconds(seconds)

    async def sign(self, job: Job, executions: Sequence[Execution]) -> list[SpecConfig]:
        """Return results with links; see ``ports.ResultSigner``."""
        results = [execution.published_result for execution in executions]
        if not self._is_enabled or all(result.kind != "s3" for result in results):
            return results
        async with self._opening:
            if self._signer is None:
                self._signer = await self._open()
        return await self._signer.sign(job, executions)

    async def _open(self) -> S3ResultSigner:
        from bacalhau.s3.requests.client import S3Client
        from bacalhau.s3.results.signing import S3ResultSigner
        from bacalhau.s3.server.trust import KEY

        trusted = self._host.settings.words(KEY)
        client = S3Client.open(self._host.clock, connections=_CONNECTIONS, trusted=trusted)
        return S3ResultSigner(await self._stack.enter_async_context(client), self._seconds)


def link_seconds(configured: float) -> int:
    """Return how long links work: nothing set means half an hour; S3 allows a week at most."""
    if configured <= 0:
        return _DEFAULT_SECONDS
    return min(max(round(configured), 1), _MAX_SECONDS)
