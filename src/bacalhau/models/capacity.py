"""Amounts of a job as numbers (spec api.md 1.6, engines.md 1.8, orchestration.md 6.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.lib.units import parse_bytes, parse_cpu, parse_gpu
from bacalhau.models.problems import Problem, raise_for
from bacalhau.models.resources import Resources, ResourcesConfig

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.models.job import Task

DEFAULTS = Resources(cpu=0.1, memory=100 * 2**20)
"""What a task is taken to need of CPU and memory when it does not say."""

_PARSERS: tuple[tuple[str, str, Callable[[str], float]], ...] = (
    ("cpu", "CPU", parse_cpu),
    ("memory", "memory", parse_bytes),
    ("disk", "disk", parse_bytes),
    ("gpu", "GPU", parse_gpu),
)
_FIELDS = {"cpu": "CPU", "memory": "Memory", "disk": "Disk", "gpu": "GPU"}


def parse_resources(config: ResourcesConfig) -> Resources:
    """Return the amounts; what is blank is 0.

    Raises:
        ValidationError: naming every amount that cannot be read.
    """
    raise_for(resource_problems(config))
    return Resources(
        cpu=parse_cpu(config.cpu) if config.cpu.strip() else 0,
        memory=parse_bytes(config.memory) if config.memory.strip() else 0,
        disk=parse_bytes(config.disk) if config.disk.strip() else 0,
        gpu=parse_gpu(config.gpu) if config.gpu.strip() else 0,
    )


def resource_problems(config: ResourcesConfig) -> list[Problem]:
    """Return a problem for every amount that cannot be read; paths are ``CPU`` and so on."""
    problems = []
    for name, title, parse in _PARSERS:
        text = getattr(config, name)
        try:
            if text.strip():
                parse(text)
        except ValueError as exc:
            problems.append(Problem(_FIELDS[name], f"invalid {title} value: {text[:64]}", str(exc)))
    return problems


def task_resources(task: Task) -> Resources:
    """Return what a task needs, without its inputs; no CPU or memory means ``DEFAULTS``.

    Raises:
        ValidationError: as ``parse_resources``.
    """
    wanted = parse_resources(task.resources)
    return Resources(
        cpu=wanted.cpu or DEFAULTS.cpu,
        memory=wanted.memory or DEFAULTS.memory,
        disk=wanted.disk,
        gpu=wanted.gpu,
    )
