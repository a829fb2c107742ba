"""Links to published results, for clients without credentials of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from contextlib import AsyncExitStack

    from bacalhau.models import SpecConfig
    from bacalhau.node.roles import Host
    from bacalhau.s3.signing import ResultSigner

_CONNECTIONS = 4


class LateSigner:
    """Signs results in S3; what that takes is loaded and opened with the first of them.

    ``stack`` closes it.
    """

    def __init__(self, host: Host, stack: AsyncExitStack) -> None:
        self._host = host
        self._stack = stack
        self._opening = asyncio.Lock()
        self._signer: ResultSigner | None = None
        settings = host.settings
        self._is_enabled = not settings.flag("Publishers.Types.S3.PreSignedURLDisabled")
        self._seconds = int(settings.seconds("Publishers.Types.S3.PreSignedURLExpiration"))

    async def sign(self, spec: SpecConfig) -> SpecConfig:
        """Return a result with a link, or as it is where there is nothing to sign.

        Raises:
            UserError: the credentials of this node are broken, or the result names no valid server.
        """
        if spec.kind != "s3" or not self._is_enabled:
            return spec
        async with self._opening:
            if self._signer is None:
                self._signer = await self._open()
        return await self._signer.presign(spec, self._seconds)

    async def _open(self) -> ResultSigner:
        from bacalhau.s3.client import S3Client
        from bacalhau.s3.signing import ResultSigner
        from bacalhau.s3.trust import KEY

        trusted = self._host.settings.words(KEY)
        client = S3Client.open(self._host.clock, connections=_CONNECTIONS, trusted=trusted)
        return ResultSigner(await self._stack.enter_async_context(client))
