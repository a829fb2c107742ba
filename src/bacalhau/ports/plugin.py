"""What engines, sources and publishers have in common.

A plug-in is a class named by an entry point of the group ``bacalhau.engines``,
``bacalhau.sources`` or ``bacalhau.publishers``; the entry point's name is the type that job files
use, in lower case. It has three parts:

- ``check`` judges parameters without any I/O; it runs at submission and again on the node;
- ``open`` makes a live instance and closes what it holds at the end;
- ``is_available`` tells whether the node can offer it right now.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from bacalhau.config import Settings
    from bacalhau.models import NodeID, SpecConfig
    from bacalhau.ports.cache import InputCache
    from bacalhau.ports.runtime import Clock, Ids

    Progress = Callable[[int, int], None]
    """Called with (bytes, objects) that were done since the last call."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginContext:
    """What a plug-in may know of the node that opens it.

    ``cache`` is for sources; without one, every input is fetched anew.
    """

    node_id: NodeID
    data_directory: Path
    settings: Settings
    clock: Clock
    ids: Ids
    cache: InputCache | None = None


class Plugin(Protocol):
    """The part of an engine, source or publisher that does not depend on its kind."""

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Judge parameters and return warnings.

        Raises:
            ValidationError: with every problem and the path of its field below ``Params``.
        """
        ...

    @classmethod
    def open(cls, context: PluginContext) -> AbstractAsyncContextManager[Plugin]:
        """Make a live instance; leaving the context closes it."""
        ...

    async def is_available(self) -> bool:
        """Tell whether this node can offer the type now. Never raises; may take a second."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Volume:
    """A file or directory of the node that a task finds under ``target``."""

    path: Path
    target: str
    read_only: bool = False
