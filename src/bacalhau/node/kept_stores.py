"""Opening the stores of a data directory, which must not lose one without a word.

``stores.txt`` lists the stores that were begun. One that is listed and missing is not made anew:
its jobs would be forgotten, and nobody told.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

import structlog

from bacalhau.errors import Code, UserError
from bacalhau.lib.files import write_atomically

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

FILE = "stores.txt"

log = structlog.get_logger()


class KeptStore(Protocol):
    """A store in a file."""

    async def verify(self) -> None:
        """Look for damage that was not looked for at the opening."""
        ...


S = TypeVar("S", bound=KeptStore)


@asynccontextmanager
async def kept_store(
    directory: Path,
    name: str,
    opened: Callable[[Path, Path | None], AbstractAsyncContextManager[S]],
) -> AsyncIterator[S]:
    """Open a store by its path below the data directory, and note that it is there.

    What it takes long to find is found while the store is used; it ends the block then.

    Raises:
        UserError: code ``StoreMissing``: there was one before. Code ``ConfigurationError``: the
            list cannot be read.
        BacalhauError: the store cannot be opened.
        BaseExceptionGroup: it is damaged, as was found later; or the block has failed.
    """
    note = directory / FILE
    known = await asyncio.to_thread(_names, note)
    async with opened(directory / name, note if name in known else None) as store:
        if name not in known:
            await asyncio.to_thread(_add, note, name)
        async with asyncio.TaskGroup() as tasks:
            search = tasks.create_task(store.verify())
            try:
                yield store
            finally:
                search.cancel()


def _names(note: Path) -> list[str]:
    try:
        return note.read_text(encoding="utf-8").split() if note.exists() else []
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not text"
        raise UserError(
            f"{note} cannot be read: {reason}",
            code=Code.CONFIGURATION,
            hint="make it readable; or remove it, if the stores of this directory are all there",
            component="DataDir",
            fields=["DataDir"],
        ) from exc


def _add(note: Path, name: str) -> None:
    """Note that a store is there. A full disk keeps no node from starting: the next one does it."""
    names = sorted({*_names(note), name})
    try:
        write_atomically(note, "".join(f"{each}\n" for each in names).encode(), 0o600)
    except OSError as exc:
        log.warning("store_not_noted", path=str(note), store=name, error=exc.strerror)
