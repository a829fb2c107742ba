"""What the cache holds, awaits and gives up. Decides only; touches no file."""

from __future__ import annotations

from collections import Counter, OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """How the names that somebody asked for stand, in the order of asking.

    Attributes:
        found: Are here, and stay until released.
        mine: Are to be fetched by the one who asked, and then admitted or abandoned.
        awaited: Are being fetched by somebody else.
        refused: Do not fit; they are fetched without the cache.
        evicted: Had to go; their files are to be removed.
    """

    found: tuple[str, ...]
    mine: tuple[str, ...]
    awaited: tuple[str, ...]
    refused: tuple[str, ...]
    evicted: tuple[str, ...]


class CacheBook:
    """Names with sizes, least recently used first.

    Held and coming bytes together never exceed the limit that a claim is made under, but for what
    is in use when the limit falls.

    Args:
        entries: What is held already, least recently used first.
        is_linked: Tells whether an execution shares the bytes of a name; those free nothing.
    """

    def __init__(
        self, entries: Iterable[tuple[str, int]], is_linked: Callable[[str], bool]
    ) -> None:
        self._held = OrderedDict(entries)
        self._coming: dict[str, int] = {}
        self._pins: Counter[str] = Counter()
        self._is_linked = is_linked
        self._held_bytes = sum(self._held.values())
        self._coming_bytes = 0

    @property
    def size_bytes(self) -> int:
        """All that is held or on its way."""
        return self._held_bytes + self._coming_bytes

    @property
    def held_bytes(self) -> int:
        """All that is held."""
        return self._held_bytes

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, name: str) -> bool:
        return name in self._held

    def claim(self, wanted: Mapping[str, int], limit_bytes: int) -> Claim:
        """Find, await or reserve names with their sizes."""
        found = tuple(name for name in wanted if name in self._held)
        for name in found:
            self._pins[name] += 1
            self._held.move_to_end(name)
        awaited = tuple(name for name in wanted if name in self._coming)
        evicted = self.shrink(limit_bytes)
        mine: list[str] = []
        refused: list[str] = []
        smallest_refused = limit_bytes + 1
        for name, size_bytes in wanted.items():
            if name in self._held or name in self._coming:
                continue
            room = None
            if size_bytes < smallest_refused:  # nothing becomes evictable within a claim
                room = self._room(limit_bytes - size_bytes)
            if room is None:
                smallest_refused = min(smallest_refused, size_bytes)
                refused.append(name)
                continue
            evicted += room
            self._coming[name] = size_bytes
            self._coming_bytes += size_bytes
            mine.append(name)
        return Claim(
            found=found,
            mine=tuple(mine),
            awaited=awaited,
            refused=tuple(refused),
            evicted=tuple(evicted),
        )

    def shrink(self, limit_bytes: int) -> list[str]:
        """Give up what was least recently used down to a limit, or as far as that goes."""
        return self._evict(self._oldest(self.size_bytes - limit_bytes))

    def admit(self, name: str) -> None:
        """Hold what was reserved; it stays until it is released."""
        size_bytes = self._coming.pop(name)
        self._coming_bytes -= size_bytes
        self._held[name] = size_bytes
        self._held_bytes += size_bytes
        self._pins[name] += 1

    def abandon(self, name: str) -> None:
        """Give up a reservation."""
        self._coming_bytes -= self._coming.pop(name)

    def release(self, name: str) -> None:
        """End one use of a name."""
        self._pins[name] -= 1
        if self._pins[name] <= 0:
            del self._pins[name]

    def forget(self, name: str) -> None:
        """Drop a name whose bytes are no longer what they were, whoever uses it."""
        self._held_bytes -= self._held.pop(name, 0)

    def _room(self, limit_bytes: int) -> list[str] | None:
        """Evict down to a limit, or nothing at all where that is not enough."""
        excess = self.size_bytes - limit_bytes
        oldest = self._oldest(excess)
        if sum(self._held[name] for name in oldest) < excess:
            return None
        return self._evict(oldest)

    def _oldest(self, wanted_bytes: int) -> list[str]:
        chosen: list[str] = []
        for name, size_bytes in self._held.items():
            if wanted_bytes <= 0:
                break
            if name in self._pins or self._is_linked(name):
                continue
            chosen.append(name)
            wanted_bytes -= size_bytes
        return chosen

    def _evict(self, names: list[str]) -> list[str]:
        for name in names:
            self.forget(name)
        return names
