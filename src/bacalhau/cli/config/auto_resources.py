"""`bacalhau config auto-resources` (spec cli.md 14)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Command
from bacalhau.cli.config.set import file_to_change, write_keys
from bacalhau.cli.flag import NO_EFFECT, Flag
from bacalhau.cli.values import INT
from bacalhau.errors import UserError

if TYPE_CHECKING:
    from bacalhau.cli.session import Session

_RESOURCES = ("CPU", "Memory", "Disk", "GPU")
_JOB_TYPES = ("Batch", "Ops", "Daemon", "Service")
_DEFAULT_PERCENTAGE = 75


def run(session: Session, *, total_percentage: int, default_job_percentage: int | None) -> None:
    """Write shares of this machine into the configuration file."""
    assignments = {
        f"Compute.AllocatedCapacity.{name}": f"{_checked(total_percentage)}%" for name in _RESOURCES
    }
    if default_job_percentage is not None:
        assignments |= _job_defaults(_checked(default_job_percentage))
    path = file_to_change(session)
    session.say(f"Writing config to {path}")
    write_keys(session, path, assignments)


def _job_defaults(percentage: int) -> dict[str, str]:
    """Return what jobs get by default as amounts: percentages are of this machine."""
    import os

    cpu = (os.cpu_count() or 1) * percentage * 10
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * percentage // 100
    return {
        f"JobDefaults.{kind}.Task.Resources.{name}": text
        for kind in _JOB_TYPES
        for name, text in (("CPU", f"{cpu}m"), ("Memory", f"{memory}b"))
    }


def _checked(percentage: int) -> int:
    if not 1 <= percentage <= 100:
        raise UserError(
            f"{percentage} is no percentage from 1 to 100",
            hint="name the share of this machine that jobs may use, such as 75",
            component="CLI",
        )
    return percentage


COMMAND = Command(
    "auto-resources",
    run,
    flags=(
        Flag("total-percentage", INT, _DEFAULT_PERCENTAGE, "Share that all jobs together may use."),
        Flag("default-job-percentage", INT, None, "Share for a job that names none."),
        Flag("job-percentage", INT, None, "Nothing.", keys=(), deprecated=NO_EFFECT),
        Flag("queue-job-percentage", INT, None, "Nothing.", keys=(), deprecated=NO_EFFECT),
    ),
    text="Set how much of this machine jobs may use, in the configuration file.",
    example="""\
# Offer half of this machine to jobs
bacalhau config auto-resources --total-percentage 50""",
)
