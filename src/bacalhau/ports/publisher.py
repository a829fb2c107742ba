"""Publishing results (spec storage.md 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from bacalhau.ports.plugin import Plugin

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from bacalhau.models import Execution, SpecConfig
    from bacalhau.ports.plugin import PluginContext


class Publisher(Plugin, Protocol):
    """A place that results go to."""

    @classmethod
    def open(cls, context: PluginContext) -> AbstractAsyncContextManager[Publisher]:
        """Make a live instance; leaving the context closes it."""
        ...

    async def publish(self, execution: Execution, results: Path) -> SpecConfig:
        """Publish a results directory and return where clients find it.

        ``execution`` carries its job. Publishing the same execution again replaces what was there.

        Cancellation: nothing that looks complete is left behind.

        Raises:
            BacalhauError: the destination refuses.
        """
        ...
