"""Finding and opening engines, sources and publishers by their entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, NamedTuple, cast

import structlog

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from contextlib import AsyncExitStack

    from bacalhau.config import Settings
    from bacalhau.ports import Engine, Plugin, PluginContext, Publisher, Source

log = structlog.get_logger()


class PluginClasses(NamedTuple):
    """All enabled plug-ins of this installation, by type in lower case."""

    engines: Mapping[str, type[Engine]]
    sources: Mapping[str, type[Source]]
    publishers: Mapping[str, type[Publisher]]


class Plugins(NamedTuple):
    """Live plug-ins, by type in lower case."""

    engines: Mapping[str, Engine]
    sources: Mapping[str, Source]
    publishers: Mapping[str, Publisher]


def find_plugins(settings: Settings) -> PluginClasses:
    """Load the classes behind the entry points, without those that the settings disable."""
    engines = _find("bacalhau.engines", settings.words("Engines.Disabled"))
    sources = _find("bacalhau.sources", settings.words("InputSources.Disabled"))
    publishers = _find("bacalhau.publishers", settings.words("Publishers.Disabled"))
    return PluginClasses(
        cast("Mapping[str, type[Engine]]", engines),
        cast("Mapping[str, type[Source]]", sources),
        cast("Mapping[str, type[Publisher]]", publishers),
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


def _find(group: str, disabled: Collection[str]) -> dict[str, type[Plugin]]:
    unwanted = {name.strip().lower() for name in disabled}
    found = {point.name: point for point in entry_points(group=group)}
    return {
        name: cast("type[Plugin]", point.load())
        for name, point in sorted(found.items())
        if name not in unwanted
    }
