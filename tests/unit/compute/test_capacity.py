"""What a node offers of its machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from bacalhau.compute.capacity import allocated_capacity, measure_machine
from bacalhau.config import Settings
from bacalhau.errors import UserError
from bacalhau.models import Resources

MACHINE = Resources(cpu=8, memory=1000, disk=10_000, gpu=3)


def capacity(**values: str) -> Resources:
    names = {f"Compute.AllocatedCapacity.{name}": value for name, value in values.items()}
    return allocated_capacity(MACHINE, Settings(names))


def test_seventy_percent_and_all_gpus_by_default() -> None:
    assert capacity() == Resources(cpu=5.6, memory=700, disk=7000, gpu=3)


def test_everything_where_nothing_is_said() -> None:
    assert capacity(CPU="", Memory="", Disk="", GPU="") == MACHINE


def test_amounts_and_percentages() -> None:
    wanted = capacity(CPU="500m", Memory="1kb", Disk=" 12.5% ", GPU="2")
    assert wanted == Resources(cpu=0.5, memory=1000, disk=1250, gpu=2)


@pytest.mark.parametrize(
    ("text", "gpus"), [("0%", 0), ("1%", 1), ("50%", 1), ("99%", 2), ("0", 0), ("9", 3)]
)
def test_gpus_are_whole_and_real(text: str, gpus: int) -> None:
    assert capacity(GPU=text).gpu == gpus


@pytest.mark.parametrize("text", ["", "%", "101%", "-1%", "nan%", "many", "70 percent"])
def test_what_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(UserError, match=r"Compute\.AllocatedCapacity\.CPU") as caught:
        capacity(CPU=text)
    assert caught.value.code == "ConfigurationError"
    assert caught.value.fields == ("Compute.AllocatedCapacity.CPU",)


@pytest.mark.parametrize("name", ["CPU", "Memory"])
def test_nothing_to_offer_is_an_error(name: str) -> None:
    with pytest.raises(UserError, match=f"{name} leaves nothing to offer"):
        capacity(**{name: "0%"})


def test_the_machine_is_measured_even_where_nothing_is_yet(tmp_path: Path) -> None:
    machine = measure_machine(tmp_path / "not" / "made" / "yet")
    assert machine.cpu >= 1
    assert machine.memory > 10**6
    assert machine.disk > 0
