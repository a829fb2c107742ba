"""`bacalhau job stop` (spec cli.md 8.8)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.values import BOOL
from bacalhau.errors import BacalhauError, ConflictError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.cli.session import Session

_REASON = "Stopped at user request"
_LABEL_WIDTH, _DOTS = 21, "." * 16


def run(session: Session, *, arguments: tuple[str], quiet: bool) -> None:
    """Stop a job that has not ended."""
    steps = _Steps(session, quiet=quiet)
    steps.say("Checking job status\n")
    with session.client() as client:
        with steps.step("Connecting to network"):
            job = client.job(arguments[0]).job
        with steps.step("Verifying job state"):
            if job.is_terminal:
                raise ConflictError(
                    f"job {job.id} is already in a terminal state\n"
                    f"The current state is: {job.state.state_type}",
                    component="CLI",
                )
        try:
            with steps.step("Stopping job"):
                answer = client.stop(job.id, _REASON)
        except KeyboardInterrupt:
            session.warn("Warning", f"no longer waiting; job {job.id} may be stopped all the same")
            return
    steps.say(f"\nJob stop successfully submitted with evaluation ID: {answer.evaluation_id}")


class _Steps:
    """Tells what is being done, a line for each step once it is finished."""

    def __init__(self, session: Session, *, quiet: bool) -> None:
        from bacalhau.lib.clock import SystemClock

        self._session = session
        self._quiet = quiet
        self._clock = SystemClock()

    def say(self, line: str) -> None:
        if not self._quiet:
            self._session.say(line)

    @contextmanager
    def step(self, label: str) -> Iterator[None]:
        start = self._clock.monotonic()
        try:
            yield
        except BacalhauError:
            self._finish(label, "err  ❌", start)
            raise
        self._finish(label, "done ✅", start)

    def _finish(self, label: str, mark: str, start: float) -> None:
        seconds = elapsed(self._clock.monotonic() - start)
        self.say(f"\t{label:>{_LABEL_WIDTH}}  {_DOTS}  {mark}  {seconds}")


def elapsed(seconds: float) -> str:
    """Return ``0.1s`` or, from a minute on, ``02m05.3s``."""
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes):02}m{rest:04.1f}s" if minutes else f"{rest:.1f}s"


COMMAND = Command(
    "stop",
    run,
    flags=(Flag("quiet", BOOL, False, "Print nothing unless it fails."),),
    arity=Arity("JOB", 1, 1),
    text="Stop a job. JOB is an id or the start of one.",
)
