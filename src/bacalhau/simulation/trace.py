"""What happened in a simulation, line by line, and a hash to compare two runs by."""

from __future__ import annotations

import asyncio
import hashlib


class Trace:
    """Lines of virtual time and event, in order."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, event: str) -> None:
        """Add an event at the present virtual time."""
        self.lines.append(f"{asyncio.get_running_loop().time():.6f} {event}")

    def digest(self) -> str:
        """Return a hash of all lines; equal for equal runs, on any machine."""
        return hashlib.sha256("\n".join(self.lines).encode()).hexdigest()[:16]
