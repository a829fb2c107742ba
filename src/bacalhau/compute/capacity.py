"""How much of the machine is offered to executions (spec orchestration.md 6.1)."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, TypeVar

from bacalhau.errors import Code, UserError
from bacalhau.lib.units import parse_bytes, parse_cpu, parse_gpu
from bacalhau.models import Resources

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bacalhau.config import Settings
    from bacalhau.models import GPU

N = TypeVar("N", int, float)

_PREFIX = "Compute.AllocatedCapacity"


def measure_machine(directory: Path, gpus: Sequence[GPU] = ()) -> Resources:
    """Return what the machine has: processors, memory, and free space where ``directory`` is.

    ``gpus`` are those that were found.
    """
    existing = next(path for path in (directory, *directory.parents) if path.exists())
    return Resources(
        cpu=float(os.cpu_count() or 1),
        memory=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        disk=shutil.disk_usage(existing).free,
        gpu=len(gpus),
        gpus=list(gpus),
    )


def allocated_capacity(total: Resources, settings: Settings) -> Resources:
    """Scale what the machine has by the settings ``Compute.AllocatedCapacity.*``.

    Each is a percentage from 0 to 100, or an amount. GPUs are counted in whole ones: a percentage
    is rounded down, but not to none where there is one, and an amount is cut to what exists. Where
    all four are empty, everything is offered, as in v1.5.

    Raises:
        UserError: code ``ConfigurationError``: a value cannot be read, or nothing is left.
    """

    if not any(settings.text(f"{_PREFIX}.{name}") for name in ("CPU", "Memory", "Disk", "GPU")):
        return total

    def share(name: str, of: N, parse: Callable[[str], N]) -> float:
        return _share(f"{_PREFIX}.{name}", settings.text(f"{_PREFIX}.{name}"), of, parse)

    wanted = share("GPU", total.gpu, parse_gpu)
    gpus = min(total.gpu, max(int(wanted), 1 if wanted > 0 else 0))
    capacity = Resources(
        cpu=round(share("CPU", total.cpu, parse_cpu), 3),
        memory=int(share("Memory", total.memory, parse_bytes)),
        disk=int(share("Disk", total.disk, parse_bytes)),
        gpu=gpus,
        gpus=total.gpus[:gpus],
    )
    for name, amount in (("CPU", capacity.cpu), ("Memory", capacity.memory)):
        if not amount:
            raise UserError(
                f"{_PREFIX}.{name} leaves nothing to offer",
                code=Code.CONFIGURATION,
                hint="set it to a percentage above 0, such as 70%, or to an amount",
                fields=[f"{_PREFIX}.{name}"],
            )
    return capacity


def _share(key: str, text: str, of: N, parse: Callable[[str], N]) -> float:
    text = text.strip()
    try:
        if not text.endswith("%"):
            return parse(text)
        percentage = float(text[:-1])
        if not 0 <= percentage <= 100:
            raise ValueError("a percentage is between 0% and 100%")
        return of * percentage / 100
    except ValueError as exc:
        raise UserError(
            f'invalid value "{text}" for {key}: {exc}',
            code=Code.CONFIGURATION,
            hint="write a percentage such as 70%, or an amount such as 4 or 8Gb",
            fields=[key],
        ) from exc
