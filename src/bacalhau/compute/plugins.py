"""Which engines, sources and publishers this node can offer right now (spec storage.md 1.4)."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from bacalhau.lib.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bacalhau.ports import Clock, Engine, Publisher, Source

CHECK_AGAIN_SECONDS = 60.0
CHECK_ENGINES_AGAIN_SECONDS = 5.0
"""An engine depends on a program that may come and go; what it knows of it, it keeps itself."""

_CHECK_LIMIT_SECONDS = 5.0


class _Offer(Protocol):
    async def is_available(self) -> bool: ...


P = TypeVar("P", bound=_Offer)


class Offers(Generic[P]):
    """Plug-ins of one kind by type, in lower case. What they answer is believed for a while."""

    def __init__(
        self, plugins: Mapping[str, P], clock: Clock, believed_seconds: float = CHECK_AGAIN_SECONDS
    ) -> None:
        self._plugins = {kind.lower(): plugins[kind] for kind in sorted(plugins)}
        self._clock = clock
        self._believed_seconds = believed_seconds
        self._answers: dict[str, tuple[float, bool]] = {}

    def find(self, kind: str) -> P | None:
        """Return the plug-in of a type, whether or not it is on offer now."""
        return self._plugins.get(kind)

    async def get(self, kind: str) -> P | None:
        """Return the plug-in of a type, or None when the node cannot offer it now."""
        plugin = self._plugins.get(kind)
        if plugin is None or not await self._is_available(kind, plugin):
            return None
        return plugin

    def lacking(self, kind: str) -> str:
        """Say that the node does not offer a type, with the one that may have been meant."""
        text = f'this node does not support "{kind}"'
        guess = "" if kind in self._plugins else did_you_mean(kind, self._plugins)
        return f"{text}; {guess}" if guess else text

    async def names(self) -> list[str]:
        """Return the types that are on offer, sorted."""
        return [kind for kind in self._plugins if await self.get(kind) is not None]

    async def _is_available(self, kind: str, plugin: P) -> bool:
        now = self._clock.monotonic()
        asked, answer = self._answers.get(kind, (now - self._believed_seconds, False))
        if now - asked >= self._believed_seconds:
            answer = await self._ask(plugin)
            self._answers[kind] = (now, answer)
        return answer

    async def _ask(self, plugin: P) -> bool:
        try:
            async with asyncio.timeout(_CHECK_LIMIT_SECONDS):
                return await plugin.is_available()
        except TimeoutError:
            return False


class Plugins:
    """Everything that this node can be asked for."""

    def __init__(
        self,
        *,
        engines: Mapping[str, Engine],
        sources: Mapping[str, Source],
        publishers: Mapping[str, Publisher],
        clock: Clock,
    ) -> None:
        self.engines = Offers(engines, clock, CHECK_ENGINES_AGAIN_SECONDS)
        self.sources = Offers(sources, clock)
        self.publishers = Offers(publishers, clock)
        self.all_engines = tuple(engines.values())
