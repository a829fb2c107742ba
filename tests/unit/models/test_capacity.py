"""Amounts of a job as numbers (spec orchestration.md 6.1)."""

from __future__ import annotations

import pytest

from bacalhau.errors import ValidationError
from bacalhau.models import Resources, ResourcesConfig, SpecConfig, Task
from bacalhau.models.capacity import DEFAULTS, parse_resources, task_resources


def _task(**resources: str) -> Task:
    return Task(engine=SpecConfig(type="docker"), resources=ResourcesConfig(**resources))


def test_amounts_become_numbers_and_blanks_zero() -> None:
    assert parse_resources(ResourcesConfig(cpu="500m", memory="1Gb", gpu=" ")) == Resources(
        cpu=0.5, memory=10**9
    )


def test_every_bad_amount_is_named() -> None:
    with pytest.raises(ValidationError) as caught:
        parse_resources(ResourcesConfig(cpu="x", memory="-1gb", disk="1e99", gpu="half"))
    assert caught.value.message.split("\n") == [
        "invalid CPU value: x",
        "invalid memory value: -1gb",
        "invalid disk value: 1e99",
        "invalid GPU value: half",
    ]
    assert caught.value.fields == ("CPU", "Memory", "Disk", "GPU")


def test_a_task_that_says_nothing_needs_a_little() -> None:
    assert task_resources(_task()) == DEFAULTS
    assert (DEFAULTS.cpu, DEFAULTS.memory) == (0.1, 104_857_600)


def test_a_task_that_asks_for_nothing_needs_a_little_too() -> None:
    assert task_resources(_task(cpu="0", memory="0")) == DEFAULTS


def test_what_a_task_asks_for_is_what_it_needs() -> None:
    assert task_resources(_task(cpu="2", memory="5", disk="7", gpu="1")) == Resources(
        cpu=2, memory=5, disk=7, gpu=1
    )
