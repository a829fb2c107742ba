"""Looking for GPUs with the vendors' tools, from recorded answers (spec engines.md 1.8)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from bacalhau.compute.gpus import find_gpus, gpu_labels
from bacalhau.compute.ledger import Ledger
from bacalhau.models import GPU, ExecutionID, Resources

if TYPE_CHECKING:
    from pathlib import Path

NVIDIA = "0, Tesla T4, 15360\n1, NVIDIA A100-SXM4-40GB, 40960\n"
AMD = json.dumps(
    {
        "card0": {
            "VRAM Total Memory (B)": "17163091968",
            "VRAM Total Used Memory (B)": "10850304",
            "Card series": "Navi 21 [Radeon RX 6800/6800 XT]",
            "Card model": "0x0e3a",
            "PCI Bus": "0000:0B:00.0",
        },
        "card2": {
            "VRAM Total Memory (B)": "68702699520",
            "Card series": "Instinct MI210",
            "PCI Bus": "0000:A3:00.0",
        },
        "system": {"Driver version": "6.2.4"},
    }
)
INTEL = json.dumps({"device_list": [{"device_id": 0, "device_name": "Data Center GPU Flex 170"}]})
INTEL_0 = json.dumps(
    {
        "device_id": 0,
        "device_name": "Data Center GPU Flex 170",
        "memory_physical_size_byte": "14193102848",
        "pci_bdf_address": "0000:4d:00.0",
    }
)


class Tools:
    """Programs that print what was recorded; others are not installed."""

    def __init__(self, **answers: str | Exception) -> None:
        self._answers = {name.replace("_", "-"): answer for name, answer in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, *command: str) -> str:
        self.asked.append(" ".join(command))
        answer = self._answers.get(command[0], FileNotFoundError(command[0]))
        if "--device" in command:
            answer = INTEL_0
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_machine_without_tools_has_no_gpus() -> None:
    assert await find_gpus(Tools()) == ()


async def test_cards_of_nvidia() -> None:
    tools = Tools(nvidia_smi=NVIDIA)
    assert await find_gpus(tools) == (
        GPU(index=0, name="Tesla T4", vendor="NVIDIA", memory=15360),
        GPU(index=1, name="NVIDIA A100-SXM4-40GB", vendor="NVIDIA", memory=40960),
    )
    assert tools.asked[0] == (
        "nvidia-smi --query-gpu=index,gpu_name,memory.total --format=csv,noheader,nounits"
    )


async def test_cards_of_amd_with_gaps_in_their_numbers() -> None:
    first, second = await find_gpus(Tools(rocm_smi=AMD))
    assert first == GPU(
        index=0,
        name="Navi 21 [Radeon RX 6800/6800 XT]",
        vendor="AMD/ATI",
        memory=16368,
        pci_address="0000:0b:00.0",
    )
    assert (second.index, second.name, second.pci_address) == (2, "Instinct MI210", "0000:a3:00.0")


async def test_cards_of_intel_are_asked_for_one_by_one() -> None:
    tools = Tools(xpu_smi=INTEL)
    assert await find_gpus(tools) == (
        GPU(
            index=0,
            name="Data Center GPU Flex 170",
            vendor="Intel",
            memory=13535,
            pci_address="0000:4d:00.0",
        ),
    )
    assert tools.asked[-1] == "xpu-smi discovery --json --device 0"


@pytest.mark.parametrize(
    "broken", ["", "no devices were found", OSError("exit code 9"), TimeoutError(), "[1]", "{}"]
)
async def test_a_tool_that_fails_does_not_hide_the_others(broken: str | Exception) -> None:
    tools = Tools(nvidia_smi=broken, rocm_smi=broken, xpu_smi=INTEL)
    (gpu,) = await find_gpus(tools)
    assert gpu.vendor == "Intel"


async def test_real_programs_are_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = tmp_path / "nvidia-smi", tmp_path / "rocm-smi"
    good.write_text("#!/bin/sh\necho '3, Tesla T4, 15360'\n")
    bad.write_text("#!/bin/sh\necho 'no driver' >&2; exit 9\n")
    for program in (good, bad):
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    (gpu,) = await find_gpus()
    assert (gpu.index, gpu.memory) == (3, 15360)


def test_labels_tell_name_and_memory() -> None:
    assert gpu_labels([GPU(index=1, name="Tesla T4", vendor="NVIDIA", memory=15360)]) == {
        "GPU-1": "Tesla-T4",
        "GPU-1-Memory": "15360-MiB",
    }


class TestChoice:
    """Which GPUs an execution gets (spec engines.md 7, E27)."""

    GPUS = tuple(GPU(index=index, name="T4", vendor="NVIDIA") for index in range(3))

    def ledger(self) -> Ledger:
        return Ledger(Resources(cpu=8, memory=8, gpu=3, gpus=list(self.GPUS)))

    def held(self, ledger: Ledger, name: str) -> list[int]:
        return [gpu.index for gpu in ledger.held(ExecutionID(name)).gpus]

    def test_two_executions_get_different_ones(self) -> None:
        ledger = self.ledger()
        assert ledger.enter(ExecutionID("a"), Resources(gpu=1), 0)
        assert ledger.enter(ExecutionID("b"), Resources(gpu=2), 0)
        assert (self.held(ledger, "a"), self.held(ledger, "b")) == ([0], [1, 2])
        assert (ledger.capacity - ledger.running).gpus == []

    def test_one_that_waits_gets_those_that_are_freed(self) -> None:
        ledger = self.ledger()
        ledger.enter(ExecutionID("a"), Resources(gpu=1), 0)
        ledger.enter(ExecutionID("b"), Resources(gpu=2), 0)
        assert not ledger.enter(ExecutionID("c"), Resources(gpu=2), 0)
        assert ledger.leave(ExecutionID("b")) == [ExecutionID("c")]
        assert self.held(ledger, "c") == [1, 2]

    def test_one_that_goes_on_after_a_restart_keeps_its_own(self) -> None:
        ledger = self.ledger()
        ledger.enter(ExecutionID("a"), Resources(gpu=1, gpus=[self.GPUS[2]]), 0)
        ledger.enter(ExecutionID("b"), Resources(gpu=2), 0)
        assert (self.held(ledger, "a"), self.held(ledger, "b")) == ([2], [0, 1])
