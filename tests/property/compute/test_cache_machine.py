"""The book of the cache under any sequence of claims, downloads, ends and damages."""

from __future__ import annotations

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bacalhau.compute.cache.book import CacheBook

LIMIT = 20
NAMES = [f"f{number}" for number in range(8)]
SIZES = {name: number * 2 for number, name in enumerate(NAMES)}


class CacheMachine(RuleBasedStateMachine):
    """Compares the book with plain sets of what is there, on its way, and in use."""

    def __init__(self) -> None:
        super().__init__()
        self.linked: set[str] = set()
        self.book = CacheBook([], lambda name: name in self.linked)
        self.held: dict[str, int] = {}
        self.coming: set[str] = set()
        self.used: Counter[str] = Counter()
        self.uses = 0

    @rule(names=st.lists(st.sampled_from(NAMES), unique=True, min_size=1))
    def claim(self, names: list[str]) -> None:
        claim = self.book.claim({name: SIZES[name] for name in names}, LIMIT)
        assert set(claim.found) == set(names) & set(self.held)
        assert set(claim.awaited) == set(names) & self.coming
        assert sorted(claim.found + claim.awaited + claim.mine + claim.refused) == sorted(names)
        for name in claim.found:
            self._touch(name)
            self.used[name] += 1
        self._evict(claim.evicted)
        self.coming |= set(claim.mine)
        for name in claim.refused:
            assert self._fixed_bytes() + SIZES[name] > LIMIT

    def _fixed_bytes(self) -> int:
        """Return what nothing can be done about."""
        fixed = {name for name in self.held if self.used[name] or name in self.linked}
        return sum(SIZES[name] for name in fixed | self.coming)

    def _touch(self, name: str) -> None:
        self.uses += 1
        self.held[name] = self.uses

    def _evict(self, names: tuple[str, ...] | list[str]) -> None:
        """Only what nobody uses goes, and nothing that was used later than something that stays."""
        idle = [name for name in self.held if not self.used[name] and name not in self.linked]
        idle.sort(key=lambda name: self.held[name])
        assert list(names) == idle[: len(names)]
        for name in names:
            del self.held[name]

    @precondition(lambda self: self.coming)
    @rule(data=st.data(), arrives=st.booleans())
    def end_download(self, data: st.DataObject, arrives: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.coming)))
        self.coming.discard(name)
        if arrives:
            self.book.admit(name)
            self._touch(name)
            self.used[name] += 1
        else:
            self.book.abandon(name)

    @precondition(lambda self: +self.used)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(+self.used)))
        self.used[name] -= 1
        self.book.release(name)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def damage(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.held)))
        del self.held[name]
        self.linked.discard(name)
        self.book.forget(name)

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def link_or_unlink(self, data: st.DataObject) -> None:
        self.linked ^= {data.draw(st.sampled_from(sorted(self.held)))}

    @rule(limit=st.integers(0, LIMIT))
    def shrink(self, limit: int) -> None:
        self._evict(self.book.shrink(limit))

    @invariant()
    def limit_holds(self) -> None:
        assert self.book.size_bytes <= LIMIT

    @invariant()
    def sums_are_right(self) -> None:
        assert len(self.book) == len(self.held)
        assert self.book.held_bytes == sum(SIZES[name] for name in self.held)
        coming = sum(SIZES[name] for name in self.coming)
        assert self.book.size_bytes == self.book.held_bytes + coming


TestCacheMachine = CacheMachine.TestCase
