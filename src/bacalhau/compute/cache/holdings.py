"""What the cache holds of the inputs that were used lately, for the scheduler to know."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bacalhau.protocol.messages import HeldInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

INPUTS_MAX = 256


@dataclass(slots=True, eq=False)
class _Input:
    """One input as it was listed last; ``content`` tells lists of files apart."""

    fingerprint: str
    total_bytes: int
    held_bytes: int
    content: int

    @property
    def figures(self) -> tuple[int, int]:
        return self.held_bytes, self.total_bytes


class Holdings:
    """Inputs by fingerprint, with the bytes held of each; at most ``INPUTS_MAX``, the latest used.

    Each name that is held knows the inputs it belongs to, so that what is given up is counted off
    without looking at any plan again.
    """

    def __init__(self) -> None:
        self._inputs: OrderedDict[str, _Input] = OrderedDict()
        self._inputs_of: dict[str, tuple[_Input, ...]] = {}
        self._version = 0
        self._news = asyncio.Event()

    def told(self) -> tuple[HeldInput, ...]:
        """Return what is to be told of: inputs of which something is held."""
        return tuple(
            HeldInput(
                fingerprint=each.fingerprint,
                held_bytes=each.held_bytes,
                total_bytes=each.total_bytes,
            )
            for each in self._inputs.values()
            if each.held_bytes
        )

    @property
    def version(self) -> int:
        """A number that grows whenever ``told`` changes; 0 at the start."""
        return self._version

    async def wait_news(self, version: int) -> None:
        """Wait until there is more to tell than at that version."""
        while self._version == version:
            await self._news.wait()

    def note(self, fingerprint: str, total_bytes: int, held: Mapping[str, int]) -> bool:
        """Take what an input has in all, and those of its files that are held, with their bytes.

        Return whether these are other files than before.
        """
        before = self._inputs.pop(fingerprint, None)
        now = _Input(fingerprint, total_bytes, sum(held.values()), hash(tuple(held)))
        self._inputs[fingerprint] = now
        if len(self._inputs) > INPUTS_MAX:
            self._inputs.popitem(last=False)
        alone = (now,)
        for name in held:
            others = self._inputs_of.get(name)
            self._inputs_of[name] = (*self._current(others), now) if others else alone
        if before is None or before.figures != now.figures:
            self._change()
        return before is None or before.content != now.content

    def leave(self, name: str, size_bytes: int) -> None:
        """Count off a file that is held no more."""
        inputs = self._current(self._inputs_of.pop(name, ()))
        for each in inputs:
            each.held_bytes -= size_bytes
        if inputs:
            self._change()

    def _current(self, inputs: Iterable[_Input]) -> list[_Input]:
        return [each for each in inputs if self._inputs.get(each.fingerprint) is each]

    def _change(self) -> None:
        self._version += 1
        self._news.set()
        self._news = asyncio.Event()
