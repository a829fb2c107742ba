"""Amounts of CPU, memory, disk and GPUs (spec api.md 1.6)."""

from __future__ import annotations

import msgspec

from bacalhau.models._naming import Model, always, always_dict


class GPU(Model, frozen=True, kw_only=True):
    """One graphics card. Memory in MiB."""

    index: int = always(0)
    name: str = always("")
    vendor: str = always("")
    memory: int = always(0)
    pci_address: str = always("")


class Resources(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A measured or allocated amount. CPU in cores, memory and disk in bytes."""

    cpu: float = 0
    memory: int = 0
    disk: int = 0
    gpu: int = 0
    gpus: list[GPU] = msgspec.field(default_factory=list)

    def __add__(self, other: Resources) -> Resources:
        return Resources(
            cpu=_cores(self.cpu + other.cpu),
            memory=self.memory + other.memory,
            disk=self.disk + other.disk,
            gpu=self.gpu + other.gpu,
            gpus=[*self.gpus, *other.gpus],
        )

    def __sub__(self, other: Resources) -> Resources:
        """Subtract, stopping at zero in every dimension."""
        return Resources(
            cpu=_cores(max(0.0, self.cpu - other.cpu)),
            memory=max(0, self.memory - other.memory),
            disk=max(0, self.disk - other.disk),
            gpu=max(0, self.gpu - other.gpu),
            gpus=[gpu for gpu in self.gpus if gpu not in other.gpus],
        )

    def scaled(self, factor: float) -> Resources:
        """Multiply every dimension; GPUs are cut to whole ones."""
        return Resources(
            cpu=_cores(self.cpu * factor),
            memory=int(self.memory * factor),
            disk=int(self.disk * factor),
            gpu=int(self.gpu * factor),
        )

    def fits_into(self, other: Resources) -> bool:
        """True when no dimension exceeds the other's."""
        return (
            self.cpu <= other.cpu + _HALF_MILLICORE
            and self.memory <= other.memory
            and self.disk <= other.disk
            and self.gpu <= other.gpu
        )


_HALF_MILLICORE = 0.0005


def _cores(value: float) -> float:
    """Round to whole millicores, and to the integer 0 so that an empty amount is left out."""
    rounded = round(value, 3)
    return rounded if rounded else 0


class ResourcesConfig(Model, frozen=True, kw_only=True, omit_defaults=True):
    """Amounts as written in a job, such as ``500m`` and ``1gb``; empty means unset."""

    cpu: str = ""
    memory: str = ""
    disk: str = ""
    gpu: str = ""


class AllocatedResources(Model, frozen=True, kw_only=True):
    """What each task of an execution was given, by task name."""

    tasks: dict[str, Resources] = always_dict()

    def total(self) -> Resources:
        """Add up all tasks."""
        return sum(self.tasks.values(), Resources())
