"""Threads that fetch: a fixed number of them, each with its own connections."""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from typing import TYPE_CHECKING

from bacalhau.client.web import Web

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Step = Callable[[Web], None]
    """A piece of work; it may put further ones into the lanes that it runs in."""

LANES = 8
_TICK_SECONDS = 0.1


class StoppedError(Exception):
    """The download has ended for another reason; whoever raises this has nothing to tell."""


class Lanes:
    """Runs steps, in the order in which they are put in, and those that come of them."""

    def __init__(self, count: int = LANES) -> None:
        self.stopped = threading.Event()
        self._count = count
        self._changed = threading.Condition()
        self._waiting: deque[Step] = deque()
        self._busy = 0
        self._webs: list[Web] = []
        self._error: BaseException | None = None

    def put(self, steps: Iterable[Step]) -> None:
        """Add work behind what waits."""
        with self._changed:
            self._waiting.extend(steps)
            self._changed.notify_all()

    def run(self, tick: Callable[[], None]) -> None:
        """Work until nothing is left; ``tick`` is called several times a second meanwhile.

        The first error stops everything, and is raised when no thread works any more. What
        ``tick`` raises does the same, as does Ctrl-C.
        """
        with ThreadPoolExecutor(self._count, thread_name_prefix="download") as pool:
            running = {pool.submit(self._work) for _ in range(self._count)}
            try:
                while running:
                    _, running = wait(running, timeout=_TICK_SECONDS)
                    tick()
            finally:
                self._stop(None)
        if self._error is not None:
            raise self._error

    def pause(self, seconds: float) -> None:
        """Let the calling thread wait.

        Raises:
            StoppedError: there is nothing to wait for any more.
        """
        if self.stopped.wait(seconds):
            raise StoppedError

    def _work(self) -> None:
        with closing(Web()) as web:
            with self._changed:
                self._webs.append(web)
            try:
                while (step := self._take()) is not None:
                    step(web)
                    self._gave_back()
            except StoppedError:
                self._stop(None)
            except BaseException as exc:
                self._stop(exc)
                raise

    def _take(self) -> Step | None:
        with self._changed:
            while not self._waiting and self._busy and not self.stopped.is_set():
                self._changed.wait()
            if self.stopped.is_set() or not self._waiting:
                return None
            self._busy += 1
            return self._waiting.popleft()

    def _gave_back(self) -> None:
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def _stop(self, error: BaseException | None) -> None:
        with self._changed:
            self._error = self._error or error
            self.stopped.set()
            self._changed.notify_all()
            webs = list(self._webs)
        for web in webs:
            web.abort()
