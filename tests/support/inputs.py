"""Planning and fetching inputs as the compute node does it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bacalhau.models import InputSource, SpecConfig
from bacalhau.ports import WHOLE, Partition
from tests.support.engines import plugin_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from bacalhau.config.keys import Value
    from bacalhau.ports import InputPlan, Source, Volume


@dataclass(frozen=True)
class Fetched:
    """A prepared input.

    ``reported`` has the bytes and objects that were told as progress, ``digests`` the SHA-256 of
    files by path.
    """

    plan: InputPlan
    volume: Volume
    reported: tuple[int, int]
    digests: Mapping[str, bytes]

    @property
    def seen(self) -> dict[str, bytes | None]:
        """What a task finds, by path: the content of files, None for empty directories."""
        return contents(self.volume.path)


def contents(root: Path) -> dict[str, bytes | None]:
    """Return the files and empty directories below a path; a file itself is called ``""``."""
    if root.is_file():
        return {"": root.read_bytes()}
    found: dict[str, bytes | None] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file():
            found[name] = path.read_bytes()
        elif not any(path.iterdir()):
            found[f"{name}/"] = None
    return found


@dataclass(frozen=True)
class Node:
    """A compute node as far as one source is concerned."""

    source: Source
    directory: Path

    async def fetch(
        self, params: dict[str, Any], target: str = "/in", partition: Partition = WHOLE
    ) -> Fetched:
        """Plan and fetch an input into the node's directory."""
        plan = await self.plan(params, target, partition)
        return await self.fetch_planned(params, plan, target)

    async def plan(
        self, params: dict[str, Any], target: str = "/in", partition: Partition = WHOLE
    ) -> InputPlan:
        """Plan an input."""
        wanted = InputSource(source=SpecConfig(type="x", params=params), target=target)
        return await self.source.plan(wanted, partition)

    async def fetch_planned(
        self, params: dict[str, Any], plan: InputPlan, target: str = "/in"
    ) -> Fetched:
        """Fetch what was planned before."""
        reports: list[tuple[int, int]] = []
        fetched = await self.source.fetch(
            InputSource(source=SpecConfig(type="x", params=params), target=target),
            plan,
            self.directory,
            lambda size, objects: reports.append((size, objects)),
        )
        totals = tuple(map(sum, zip(*reports, strict=True))) if reports else (0, 0)
        return Fetched(plan, fetched.volume, (totals[0], totals[1]), fetched.digests)


@asynccontextmanager
async def node_with(
    source: type[Source], directory: Path, settings: Mapping[str, Value] | None = None
) -> AsyncIterator[Node]:
    """Open a source on a node whose files are below ``directory``."""
    place = directory / "input"
    place.mkdir(parents=True)
    async with source.open(plugin_context(directory / "node", settings)) as live:
        yield Node(live, place)
