"""Keys of what jobs get that say nothing themselves (spec config.md 3.7)."""

from __future__ import annotations

from bacalhau.config.key import Key
from bacalhau.lib.units import parse_bytes, parse_cpu, parse_gpu


def _of_every_type(kind: str) -> tuple[Key, ...]:
    resources = f"JobDefaults.{kind}.Task.Resources"
    return (
        Key(f"JobDefaults.{kind}.Priority", 0, "Priority of a job that names none."),
        Key(f"{resources}.CPU", "500m", "CPU of a task that names none.", check=parse_cpu),
        Key(f"{resources}.Memory", "1Gb", "Memory of a task that names none.", check=parse_bytes),
        Key(f"{resources}.Disk", "", "Disk space of a task that names none.", check=parse_bytes),
        Key(f"{resources}.GPU", "", "GPUs of a task that names none.", check=parse_gpu),
    )


def _of_types_that_end(kind: str) -> tuple[Key, ...]:
    task = f"JobDefaults.{kind}.Task"
    return (
        *_of_every_type(kind),
        Key(f"{task}.Publisher.Type", "", "Publisher of a task that names none."),
        Key(f"{task}.Publisher.Params", (), "Parameters of that publisher.", is_map=True),
        Key(
            f"{task}.Timeouts.ExecutionTimeout",
            "0s",
            "Time that an execution may run where the task names none; 0 is no limit.",
            is_duration=True,
        ),
        Key(
            f"{task}.Timeouts.TotalTimeout",
            "0s",
            "Time that a job may take where the task names none; 0 is no limit.",
            is_duration=True,
        ),
    )


JOB_KEYS = (
    *_of_types_that_end("Batch"),
    *_of_types_that_end("Ops"),
    *_of_every_type("Daemon"),
    *_of_every_type("Service"),
)
