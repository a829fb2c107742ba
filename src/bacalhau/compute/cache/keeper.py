"""The node's cache of inputs (``ports.cache.InputCache``)."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from bacalhau.compute.cache import files
from bacalhau.compute.cache.book import CacheBook
from bacalhau.compute.cache.holdings import INPUTS_MAX, Holdings
from bacalhau.compute.cache.index import CacheIndex, KeptFile, KeptInput
from bacalhau.compute.cache.landing import CacheLanding
from bacalhau.compute.cache.shelf import Shelf, Verdict, Wanted
from bacalhau.lib.landing import TreeLanding
from bacalhau.lib.parallel import in_parallel
from bacalhau.lib.threads import run_to_end, run_until_stopped
from bacalhau.lib.tree import Tree
from bacalhau.models.debug import InputCacheState
from bacalhau.ports.cache import CacheFill

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence

    from bacalhau.compute.cache.book import Claim
    from bacalhau.ports import Clock, Ids, PlannedObject
    from bacalhau.ports.cache import CacheOrder

_THREADS = 4
_LISTED_FILES = 50_000
"""Inputs of more files are not told of after a restart, until they are used again."""

_BATCH_FILES = 64
_BATCH_BYTES = 16 * 1024 * 1024
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

log = structlog.get_logger()


@dataclass(kw_only=True, slots=True)
class _Order:
    """An order while it is being met: what is left, by name, and what became of the rest."""

    order: CacheOrder
    left: dict[str, PlannedObject]
    identities: Mapping[str, str]
    part_name: str
    found: list[PlannedObject] = field(default_factory=list)
    digests: dict[str, bytes] = field(default_factory=dict)
    fetched: set[str] = field(default_factory=set)

    def wanted(self, names: Sequence[str]) -> list[Wanted]:
        return [Wanted(name, self.identities[name], self.left[name].path) for name in names]

    def objects(self, names: Sequence[str]) -> tuple[PlannedObject, ...]:
        return tuple(self.left[name] for name in names)


class InputKeeper:
    """See the port. Made by ``InputKeeper.open``; ``holdings`` tells of the inputs used lately.

    The book is touched by the event loop only, files by threads only.
    """

    def __init__(
        self,
        directory: Path,
        index: CacheIndex,
        kept: Sequence[KeptFile],
        *,
        limit_bytes: int,
        verify_seconds: float,
        clock: Clock,
        ids: Ids,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._directory = directory
        self._index = index
        self._kept = {each.name: each for each in kept}
        self._book = CacheBook(
            ((each.name, each.size_bytes) for each in kept), partial(files.is_linked, directory)
        )
        self.holdings = Holdings()
        self._shelf = Shelf(directory, int(verify_seconds * 1e9))
        self._limit_bytes = limit_bytes
        self._clock = clock
        self._ids = ids
        self._pool = pool
        self._arrivals: dict[str, asyncio.Event] = {}
        self._departures: dict[str, asyncio.Event] = {}
        self._hits = self._misses = self._evicted = self._damaged = 0

    @classmethod
    @asynccontextmanager
    async def open(
        cls, directory: Path, *, limit_bytes: int, verify_seconds: float, clock: Clock, ids: Ids
    ) -> AsyncIterator[InputKeeper]:
        """Keep files below ``directory``, without whatever an earlier process left half done.

        Raises:
            OSError: the directory cannot be used.
        """
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="input-cache") as pool:
            index, kept, inputs = await run_to_end(pool, partial(_open, directory))
            with closing(index):
                keeper = cls(
                    directory,
                    index,
                    kept,
                    limit_bytes=limit_bytes,
                    verify_seconds=verify_seconds,
                    clock=clock,
                    ids=ids,
                    pool=pool,
                )
                await keeper._throw_away(keeper._book.shrink(limit_bytes))
                keeper._restore(inputs)
                yield keeper

    def statistics(self) -> InputCacheState:
        """Return what is held, and what became of what was asked for since the start."""
        return InputCacheState(
            limit_bytes=self._limit_bytes,
            size_bytes=self._book.held_bytes,
            objects=len(self._book),
            hits=self._hits,
            misses=self._misses,
            evicted=self._evicted,
            damaged=self._damaged,
        )

    async def make_room(self, size_bytes: int, directory: Path) -> None:
        """Give up what nobody uses until the disk has so much left; see the port."""
        missing = size_bytes - shutil.disk_usage(directory).free
        if missing > 0:
            await self._throw_away(self._book.shrink(self._book.size_bytes - missing))

    async def fill(self, order: CacheOrder) -> CacheFill:
        """Put all files of an order in their places; see the port."""
        named = [hashlib.sha256(identity.encode()).hexdigest() for identity in order.identities]
        work = _Order(
            order=order,
            left=dict(zip(named, order.objects, strict=True)),
            identities=dict(zip(named, order.identities, strict=True)),
            part_name=f".part-{self._ids.uuid()}",
        )
        assert len(work.left) == len(order.objects), "each identity is in an order once"
        try:
            while work.left:
                await self._meet(work)
        finally:
            news = self._note(order, named)
        if news is not None:
            with suppress(OSError):  # it is told again after the next use
                await run_to_end(self._pool, partial(self._index.write_input, news, INPUTS_MAX))
        return CacheFill(found=tuple(work.found), digests=work.digests)

    def _note(self, order: CacheOrder, names: Sequence[str]) -> KeptInput | None:
        """Tell of an input; return what the next process has to know for that, if that is new."""
        if not order.fingerprint:
            return None
        total_bytes = sum(item.size_bytes for item in order.objects)
        items = zip(names, order.objects, strict=True)
        held = {name: item.size_bytes for name, item in items if name in self._book}
        is_new = self.holdings.note(order.fingerprint, total_bytes, held)
        if not is_new or len(held) > _LISTED_FILES:
            return None
        return KeptInput.of(order.fingerprint, total_bytes, held)

    def _restore(self, inputs: Sequence[KeptInput]) -> None:
        """Take over what the process before told of inputs, as far as it is still here."""
        for each in inputs:
            here = [self._kept[name] for name in each.names() if name in self._book]
            held = {file.name: file.size_bytes for file in here}
            self.holdings.note(each.fingerprint, each.total_bytes, held)

    async def _meet(self, work: _Order) -> None:
        """Place what is here, fetch what nobody fetches, and wait for one that somebody does."""
        await self._departed(work.left)
        claim = self._claim(work)
        mine = {name: self._arrivals[name] for name in claim.mine}
        try:
            await self._throw_away(claim.evicted)
            placed = await self._fetch(work, claim.mine) if claim.mine else frozenset()
            others = [name for name in claim.mine if name not in placed]
            await self._place(work, [*claim.found, *others])
            if claim.refused:
                await self._fetch_past(work, claim.refused)
        finally:
            for name in claim.found:
                self._book.release(name)
            for name, arrival in mine.items():
                if self._arrivals.get(name) is arrival:  # it has not come
                    self._book.abandon(name)
                    self._arrive(name)
                else:
                    self._book.release(name)
        for name in claim.awaited:
            if (awaited := self._arrivals.get(name)) is not None:
                await awaited.wait()

    def _claim(self, work: _Order) -> Claim:
        files.make_again(self._directory)
        free_bytes = shutil.disk_usage(self._directory).free
        copies_bytes = 0
        if not work.order.is_linked:
            copies_bytes = sum(item.size_bytes for item in work.left.values())
        room = max(0, self._book.held_bytes + free_bytes - copies_bytes)
        claim = self._book.claim(
            {name: item.size_bytes for name, item in work.left.items()},
            min(self._limit_bytes, room),
        )
        for name in claim.mine:
            self._arrivals[name] = asyncio.Event()
        return claim

    async def _departed(self, names: Mapping[str, PlannedObject]) -> None:
        """Wait until none of these is being removed, so that nobody removes what is put there."""
        while leaving := [name for name in self._departures if name in names]:
            for name in leaving:
                if (departure := self._departures.get(name)) is not None:
                    await departure.wait()

    def _arrive(self, name: str) -> None:
        self._arrivals.pop(name).set()

    # -- in -------------------------------------------------------------------------------

    async def _fetch(self, work: _Order, names: Sequence[str]) -> Collection[str]:
        """Download files and take them in; return those that are placed, too.

        What has landed is kept when the rest fails, so that the next attempt is shorter.
        """
        order = work.order
        with closing(Tree(order.directory)) as tree, closing(self._landing(work, tree)) as landing:
            try:
                await order.download(work.objects(names), landing)
            except BaseException:
                await self._admit(landing.taken.values())
                strays = [name for name in names if name in self._arrivals]
                await run_to_end(self._pool, partial(self._discard, strays))
                raise
            await self._admit(landing.taken.values())
        assert not any(name in self._arrivals for name in names), "a download lands completely"
        self._misses += len(names)
        work.fetched.update(names)
        for name in landing.placed:
            work.digests[work.left.pop(name).path] = landing.taken[name].digest
        return landing.placed

    def _landing(self, work: _Order, tree: Tree) -> CacheLanding:
        return CacheLanding(
            self._directory,
            tree,
            {each.path: each for each in work.wanted(list(work.left))},
            now_ns=self._clock.now_ns(),
            is_linked=work.order.is_linked,
            part_name=work.part_name,
        )

    async def _fetch_past(self, work: _Order, names: Sequence[str]) -> None:
        """Download files that do not fit into the cache."""
        with closing(Tree(work.order.directory)) as tree:
            landing = TreeLanding(tree, work.part_name)
            await work.order.download(work.objects(names), landing)
        work.digests.update(landing.digests)
        self._misses += len(names)
        for name in names:
            del work.left[name]

    async def _admit(self, taken: Collection[KeptFile]) -> None:
        """Let files be found that are complete in the cache."""
        await run_to_end(self._pool, partial(self._index.write, taken))
        for each in taken:
            self._kept[each.name] = each
            self._book.admit(each.name)
            self._arrive(each.name)

    # -- out ------------------------------------------------------------------------------

    async def _place(self, work: _Order, names: Sequence[str]) -> None:
        """Give an order files that are here; those that are damaged stay in what is left."""
        used: list[KeptFile] = []

        async def place(batch: list[str]) -> None:
            verdict = await self._take_out(work, batch)
            used.extend(verdict.placed)
            for each in verdict.damaged:
                await self._give_up(each)

        await in_parallel(list(_batches(names, work.left)), _THREADS, place)
        for each in used:
            item = work.left.pop(each.name)
            work.digests[item.path] = each.digest
            if each.name not in work.fetched:
                work.found.append(item)
                self._hits += 1
        current = [each for each in used if each.name in self._kept and each.name in self._book]
        for each in current:
            self._kept[each.name] = each
        await run_to_end(self._pool, partial(self._index.write, current))

    async def _take_out(self, work: _Order, names: list[str]) -> Verdict:
        # Somebody else may have found one of them damaged meanwhile.
        here = [name for name in names if name in self._kept]
        items = [(item, self._kept[item.name]) for item in work.wanted(here)]
        step = partial(
            self._shelf.take_out,
            items,
            work.order.directory,
            self._clock.now_ns(),
            is_linked=work.order.is_linked,
            part_name=work.part_name,
        )
        return await run_until_stopped(self._pool, step)

    async def _give_up(self, damaged: KeptFile) -> None:
        """Report a file that is not what it was, once, and let it be fetched anew."""
        known = self._kept.get(damaged.name)
        if known is None or known.inode != damaged.inode:
            return
        self._damaged += 1
        log.warning(
            "input_cache_damaged",
            identity=damaged.identity,
            size_bytes=damaged.size_bytes,
            sha256=damaged.digest.hex(),
        )
        self._book.forget(damaged.name)
        await self._remove([damaged.name])

    async def _throw_away(self, names: Sequence[str]) -> None:
        self._evicted += len(names)
        await self._remove(names)

    async def _remove(self, names: Sequence[str]) -> None:
        if not names:
            return
        for name in names:
            if (kept := self._kept.pop(name, None)) is not None:
                self.holdings.leave(name, kept.size_bytes)
            self._departures[name] = asyncio.Event()
        try:
            await run_to_end(self._pool, partial(self._discard, names))
        finally:
            for name in names:
                self._departures.pop(name).set()

    def _discard(self, names: Sequence[str]) -> None:
        self._index.write((), names)
        self._shelf.throw_away(names)


def _open(directory: Path) -> tuple[CacheIndex, list[KeptFile], list[KeptInput]]:
    files.make(directory)
    try:
        return _read(directory)
    except OSError as exc:
        log.warning("input_cache_cleared", error=str(exc))
    shutil.rmtree(directory)
    files.make(directory)
    return _read(directory)


def _read(directory: Path) -> tuple[CacheIndex, list[KeptFile], list[KeptInput]]:
    index = CacheIndex(directory / files.INDEX)
    try:
        index.suspect_after_boot(_BOOT_ID.read_text().strip() if _BOOT_ID.exists() else "")
        kept = index.read()
        present = files.sweep(directory, {each.name for each in kept})
        index.write((), [each.name for each in kept if each.name not in present])
        inputs = index.inputs()
    except OSError:
        index.close()
        raise
    return index, [each for each in kept if each.name in present], inputs


def _batches(names: Sequence[str], items: Mapping[str, PlannedObject]) -> Iterator[list[str]]:
    """Cut names into batches that are worth a thread's while."""
    batch: list[str] = []
    size_bytes = 0
    for name in names:
        batch.append(name)
        size_bytes += items[name].size_bytes
        if len(batch) == _BATCH_FILES or size_bytes >= _BATCH_BYTES:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch
