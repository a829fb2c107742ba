"""Inputs that take time to fetch, and a cache that forgets those that were not used lately."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from bacalhau.compute.cache.holdings import Holdings
from bacalhau.models.debug import InputCacheState
from bacalhau.ports import WHOLE, Fetched, InputPlan, PlannedObject, Volume

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from bacalhau.models import InputSource, SpecConfig
    from bacalhau.ports import Partition, PluginContext
    from bacalhau.ports.plugin import Progress

SOURCE_TYPE = "simulated"
BYTES_PER_SECOND = 50_000_000


class SimulatedCache:
    """Whole inputs by name (``compute.service.KeptInputs``); dies with its process."""

    def __init__(self, limit_bytes: int) -> None:
        self.holdings = Holdings()
        self._limit_bytes = limit_bytes
        self._held: OrderedDict[str, int] = OrderedDict()

    def __contains__(self, name: object) -> bool:
        return name in self._held

    def statistics(self) -> InputCacheState:
        """Return how much is held."""
        return InputCacheState(limit_bytes=self._limit_bytes, size_bytes=sum(self._held.values()))

    def keep(self, name: str, size_bytes: int, fingerprint: str) -> None:
        """Hold an input as the one used last, and give up others for it."""
        self._held[name] = size_bytes
        self._held.move_to_end(name)
        while sum(self._held.values()) > self._limit_bytes:
            self.holdings.leave(*self._held.popitem(last=False))
        held = {name: size_bytes} if name in self._held else {}
        self.holdings.note(fingerprint, size_bytes, held)


class SimulatedSource:
    """Data of any size, at a fixed speed (``ports.Source``); parameters ``name`` and ``bytes``."""

    def __init__(self, cache: SimulatedCache) -> None:
        self._cache = cache

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Accept all parameters."""
        return ()

    @classmethod
    def open(cls, context: PluginContext) -> AbstractAsyncContextManager[SimulatedSource]:
        """Refuse: a simulated source is made with its cache."""
        raise NotImplementedError("a simulated source is made with its cache")

    async def is_available(self) -> bool:
        """Say yes."""
        return True

    async def plan(self, source: InputSource, partition: Partition = WHOLE) -> InputPlan:
        """Return one object; every execution gets it."""
        name, size_bytes = str(source.source.params["name"]), int(source.source.params["bytes"])
        return InputPlan(objects=(PlannedObject(key=name, path=name, size_bytes=size_bytes),))

    async def fetch(
        self, source: InputSource, plan: InputPlan, directory: Path, progress: Progress
    ) -> Fetched:
        """Take as long as it takes, or no time for what is in the cache."""
        (item,) = plan.objects
        if item.key not in self._cache:
            await asyncio.sleep(item.size_bytes / BYTES_PER_SECOND)
        self._cache.keep(item.key, item.size_bytes, plan.fingerprint)
        progress(item.size_bytes, 1)
        return Fetched(volume=Volume(path=directory, target=source.target))
