"""Finding and opening engines, sources and publishers by their entry points."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import structlog

from bacalhau.lib.nearest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AsyncExitStack
    from importlib.metadata import EntryPoint

    from bacalhau.config import Settings
    from bacalhau.ports import Engine, Plugin, PluginContext, Publisher, Source

P = TypeVar("P", bound="Plugin")

_ELSEWHERE = frozenset({"ipfs", "noop", "repoclone", "repoclonelfs", "s3presigned", "s3signed"})
"""Types of v1.5 that we have not: a configuration from there may well disable them."""

log = structlog.get_logger()


class PluginClasses(NamedTuple):
    """All enabled plug-ins of this installation, by type in lower case."""

    engines: Mapping[str, type[Engine]]
    sources: Mapping[str, type[Source]]
    publishers: Mapping[str, type[Publisher]]

    def load(self) -> None:
        """Import all of them now, which takes a moment: the libraries behind them are large."""
        for classes in self:
            list(classes.values())


class Plugins(NamedTuple):
    """Live plug-ins, by type in lower case."""

    engines: Mapping[str, Engine]
    sources: Mapping[str, Source]
    publishers: Mapping[str, Publisher]


class LateClasses(Mapping[str, type[P]]):
    """Classes behind entry points, by type in lower case; each is imported when it is asked for."""

    def __init__(self, points: Mapping[str, EntryPoint]) -> None:
        self._points = dict(sorted(points.items()))
        self._loaded: dict[str, type[P]] = {}

    def __getitem__(self, kind: str) -> type[P]:
        """Return a class. Raises ``KeyError``, and what its module raises on import."""
        if kind not in self._loaded:
            self._loaded[kind] = self._points[kind].load()
        return self._loaded[kind]

    def __contains__(self, kind: object) -> bool:
        return kind in self._points

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)


def find_plugins(settings: Settings) -> PluginClasses:
    """Find the classes behind the entry points, without those that the settings disable.

    A class with several names is disabled by any of them. What is disabled and does not exist is
    told in the log.
    """
    every = entry_points()

    def find(kind: str, key: str) -> dict[str, EntryPoint]:
        unwanted = {name.strip().lower() for name in settings.words(key)}
        found = {point.name: point for point in every.select(group=f"bacalhau.{kind}")}
        for name in sorted(unwanted - found.keys() - _ELSEWHERE):
            hint = did_you_mean(name, found) or f"there are {', '.join(sorted(found))}"
            log.warning("nothing_to_disable", key=key, type=name, hint=hint)
        classes = {point.value for name, point in found.items() if name in unwanted}
        return {name: point for name, point in found.items() if point.value not in classes}

    return PluginClasses(
        LateClasses(find("engines", "Engines.Disabled")),
        LateClasses(find("sources", "InputSources.Disabled")),
        LateClasses(find("publishers", "Publishers.Disabled")),
    )


async def open_plugins(
    classes: PluginClasses, context: PluginContext, stack: AsyncExitStack
) -> Plugins:
    """Make a live instance of each class; ``stack`` closes them in reverse order."""
    return Plugins(
        {
            name: await stack.enter_async_context(cls.open(context))
            for name, cls in classes.engines.items()
        },
        {
            name: await stack.enter_async_context(cls.open(context))
            for name, cls in classes.sources.items()
        },
        {
            name: await stack.enter_async_context(cls.open(context))
            for name, cls in classes.publishers.items()
        },
    )
