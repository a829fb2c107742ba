"""Carrying a module's output to its sink while it runs.

wasmtime can hand output to a Python function, but from threads of its own, which crash the process
when it ends at the same moment. So the module writes into pipes, as a program would.
"""

from __future__ import annotations

import os
import selectors
from typing import TYPE_CHECKING

from bacalhau.ports import Stream

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.ports import OutputSink

_CHUNK_BYTES = 65536


class OutputPipes:
    """A pipe for each stream. The ends for writing are files that wasmtime opens by name."""

    def __init__(self) -> None:
        self._readers: dict[int, Stream] = {}
        self._writers: dict[Stream, int] = {}
        for stream in Stream:
            reader, writer = os.pipe()
            self._readers[reader] = stream
            self._writers[stream] = writer

    def name(self, stream: Stream) -> str:
        """Return the file name under which the end for writing can be opened once more."""
        return f"/dev/fd/{self._writers[stream]}"

    def close_writers(self) -> None:
        """Close our ends for writing; the stream ends when the others are closed, too."""
        while self._writers:
            os.close(self._writers.popitem()[1])

    def pump(self, sink: OutputSink, on_failure: Callable[[], None]) -> None:
        """Copy until both streams end. Runs in a thread, and closes the ends for reading.

        When the sink raises, ``on_failure`` is called and writes of the module fail from then on.

        Raises:
            OSError: the sink could not write.
        """
        with selectors.DefaultSelector() as selector:
            for reader, stream in self._readers.items():
                selector.register(reader, selectors.EVENT_READ, stream)
            try:
                while selector.get_map():
                    for key, _ in selector.select():
                        data = os.read(key.fd, _CHUNK_BYTES)
                        if data:
                            sink.write(key.data, data)
                        else:
                            selector.unregister(key.fd)
            except BaseException:
                on_failure()
                raise
            finally:
                for reader in self._readers:
                    os.close(reader)
