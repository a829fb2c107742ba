"""An event loop in virtual time: waiting costs nothing, and a seed decides every order.

The loop never sleeps. When nothing is ready, its clock jumps to the next timer. What is ready at
the same moment runs in an order drawn from the seed, so that each seed tries another interleaving
and the same seed repeats one exactly, on every machine and every supported Python.

Nothing may escape the seed: threads, executors and sockets are refused.
"""

from __future__ import annotations

import asyncio
import gc
import math
import random
import selectors
import threading
from collections import Counter
from typing import TYPE_CHECKING, Any, TypeVar, TypeVarTuple, Unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Sequence
    from concurrent.futures import Executor
    from contextvars import Context

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

EPOCH_NS = 1_700_000_000_000_000_000
"""The wall time, in nanoseconds since 1970, at which every simulation starts."""

STILLNESS_LIMIT = 100_000
"""How many rounds the loop makes without the clock moving before it speaks of a livelock."""


class SimulationError(AssertionError):
    """The simulated program did what no simulation can go on from."""


class DeadlockError(SimulationError):
    """Nothing is ready and no timer is set: every task waits for another."""


class LivelockError(SimulationError):
    """The program keeps itself busy and comes to no end."""


class EscapeError(SimulationError):
    """The program reached for a thread, an executor or a socket."""


class _NumberedTask(asyncio.Task[Any]):
    """A task whose hash does not depend on its address.

    ``TaskGroup`` and ``asyncio.wait`` keep tasks in sets and walk through them; with the usual
    hash, the order in which a group cancels its tasks would differ from run to run.
    """

    def __init__(self, number: int, *args: Any, **kwargs: Any) -> None:
        self._number = number
        super().__init__(*args, **kwargs)

    def __hash__(self) -> int:
        return self._number


class _JumpingSelector(selectors.SelectSelector):
    """Turns every wait into a jump of the loop's clock. Knows no files but the loop's own pipe."""

    def __init__(self) -> None:
        super().__init__()
        self.loop: SimulationLoop | None = None

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        if self.loop is not None:
            raise EscapeError("a simulated program opened a socket or pipe")
        return super().register(fileobj, events, data)

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert self.loop is not None, "the loop is set before it runs"
        self.loop._idle(timeout)
        return []


class SimulationLoop(asyncio.SelectorEventLoop):
    """The loop; see the module. Time starts at 0 seconds.

    Args:
        seed: Decides the order of whatever is ready at the same moment.
        limit_seconds: The virtual time after which the loop gives up.
    """

    _ready: Any
    _scheduled: list[Any]
    _thread_id: int | None
    _clock_resolution: float

    def __init__(self, seed: int, *, limit_seconds: float = math.inf) -> None:
        self._now_ns = 0
        self._limit_seconds = limit_seconds
        self._shuffle = random.Random(seed)
        self._rounds_without_time = 0
        self._tasks_made = 0
        self._busy: Counter[str] = Counter()
        selector = _JumpingSelector()
        super().__init__(selector)
        selector.loop = self
        self.set_task_factory(_make_task)

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now_ns / 1e9

    @property
    def time_ns(self) -> int:
        """Virtual nanoseconds since the loop was made; what ``time`` is derived from."""
        return self._now_ns

    def _run_once(self) -> None:
        ready = self._ready
        if len(ready) > 1:
            handles = list(ready)
            self._shuffle.shuffle(handles)
            ready.clear()
            ready.extend(handles)
        if self._rounds_without_time > STILLNESS_LIMIT - 100:
            self._busy.update(_owner(handle) for handle in ready)
        super()._run_once()  # type: ignore[misc]

    def _idle(self, timeout: float | None) -> None:
        """Wait: not at all when something is ready, for ever when no timer is set."""
        if timeout == 0:
            self._rounds_without_time += 1
            if self._rounds_without_time > STILLNESS_LIMIT:
                busy = ", ".join(name for name, _ in self._busy.most_common(3))
                raise LivelockError(
                    f"the clock stands still at {self.time():.3f} s, busy: {busy}\n{self._where()}"
                )
            return
        self._rounds_without_time = 0
        if timeout is None:
            raise DeadlockError(
                f"every task waits for another at {self.time():.3f} s\n{self._where()}"
            )
        self._jump(self._scheduled[0]._when)
        if self.time() > self._limit_seconds:
            raise LivelockError(f"no end after {self._limit_seconds:.0f} s\n{self._where()}")

    def _jump(self, when: float) -> None:
        # Whole nanoseconds, rounded up: who computes a wait from nanoseconds never wakes early.
        self._now_ns = max(self._now_ns, math.ceil(when * 1e9))
        while self.time() < when:
            self._now_ns += 1
        # Timers of this very instant are due, and none after it.
        self._clock_resolution = math.ulp(self.time())

    def _where(self) -> str:
        """Say where every task waits, in order of their making."""
        return "\n".join(
            f"  {task.get_name()} in {_innermost(task)}" for task in pending_tasks(self)
        )

    def _next_task_number(self) -> int:
        self._tasks_made += 1
        return self._tasks_made

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """Schedule a callback, from this thread only.

        Raises:
            EscapeError: the caller is another thread.
        """
        if self._thread_id is not None and threading.get_ident() != self._thread_id:
            raise EscapeError("another thread called into the simulation")
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(
        self,
        executor: Executor | None,
        func: Callable[[Unpack[Ts]], T],
        *args: *Ts,
    ) -> asyncio.Future[T]:
        """Refuse.

        Raises:
            EscapeError: always.
        """
        raise EscapeError(f"a simulated program handed {func!r} to a thread")


def _make_task(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, T] | Generator[Any, None, T],
    **kwargs: Any,
) -> asyncio.Task[T]:
    assert isinstance(loop, SimulationLoop), "the factory belongs to its loop"
    number = loop._next_task_number()
    kwargs.setdefault("name", None)
    if kwargs["name"] is None:
        kwargs["name"] = f"task-{number}"
    return _NumberedTask(number, coro, loop=loop, **kwargs)


def _owner(handle: Any) -> str:
    """Name what a handle is about to run: where its task stands, or the callback."""
    task = getattr(handle._callback, "__self__", None)
    return _innermost(task) if isinstance(task, asyncio.Task) else repr(handle._callback)


def _innermost(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack(limit=1)
    if not frames:
        return "nothing"
    code = frames[-1].f_code
    return f"{code.co_qualname} line {frames[-1].f_lineno}"


def pending_tasks(loop: asyncio.AbstractEventLoop) -> Sequence[asyncio.Task[Any]]:
    """Return the tasks of a loop that have not ended, in the order of their making."""
    return sorted(asyncio.all_tasks(loop), key=hash)


def run_simulation(
    main: Coroutine[Any, Any, T], seed: int, *, limit_seconds: float = math.inf
) -> T:
    """Run a coroutine to its end in virtual time and return its result.

    Args:
        main: The program.
        seed: Decides every order; the same seed gives the same run.
        limit_seconds: Virtual time after which the program counts as hanging.

    Raises:
        SimulationError: the program deadlocks, never waits, hangs, escapes the simulation, or
            leaves tasks behind.
    """
    loop = SimulationLoop(seed, limit_seconds=limit_seconds)
    # The collector runs when so and so many objects have been made, which differs between
    # Pythons, and closes abandoned generators when it does.
    collecting = gc.isenabled()
    gc.disable()
    try:
        result = loop.run_until_complete(main)
        left = pending_tasks(loop)
        if left:
            raise SimulationError(f"{len(left)} tasks outlive the program\n{loop._where()}")
        return result
    finally:
        try:
            _close(loop)
        finally:
            if collecting:
                gc.enable()


def _close(loop: SimulationLoop) -> None:
    loop._limit_seconds = math.inf
    loop._rounds_without_time = 0
    left = pending_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left, timeout=60))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()


class VirtualClock:
    """The wall clock and the monotonic clock of a simulation (``ports.Clock``).

    Args:
        offset_ns: How far this machine's wall clock is ahead of the others.
    """

    def __init__(self, *, offset_ns: int = 0) -> None:
        self._epoch_ns = EPOCH_NS + offset_ns

    def now_ns(self) -> int:
        """Nanoseconds since 1970, UTC, counted from ``EPOCH_NS``."""
        return self._epoch_ns + _running_loop().time_ns

    def monotonic(self) -> float:
        """Virtual seconds since the simulation began."""
        return _running_loop().time()


def _running_loop() -> SimulationLoop:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulationLoop), "a virtual clock only goes inside a simulation"
    return loop
