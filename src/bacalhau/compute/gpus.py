"""Which GPUs a machine has, as the vendors' tools tell it (spec engines.md 1.8)."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import structlog

from bacalhau.models import GPU

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    Tool = Callable[..., Awaitable[str]]

log = structlog.get_logger()

_TOOL_SECONDS = 10.0
_MIB = 2**20
_AMD_CARD = re.compile(r"card([0-9]+)")


async def find_gpus(tool: Tool | None = None) -> tuple[GPU, ...]:
    """Return the GPUs of this machine, NVIDIA's first.

    ``tool`` runs a program with arguments and returns what it prints. One that is not installed
    tells of nothing; one that fails is noted in the log, and tells of nothing either.
    """
    run = tool or _run
    found: list[GPU] = []
    for name, ask in _PROBES:
        try:
            found += await ask(run)
        except FileNotFoundError:
            continue
        except (OSError, TimeoutError, ValueError, KeyError, TypeError) as exc:
            log.warning("gpu_tool_failed", tool=name, error=f"{type(exc).__name__}: {exc}")
    return tuple(found)


def gpu_labels(gpus: Iterable[GPU]) -> dict[str, str]:
    """Return labels of a node that tell its GPUs; their numbers are those of the vendor."""
    labels = {}
    for gpu in gpus:
        labels[f"GPU-{gpu.index}"] = gpu.name.replace(" ", "-")
        labels[f"GPU-{gpu.index}-Memory"] = f"{gpu.memory}-MiB"
    return labels


async def _ask_nvidia(run: Tool) -> list[GPU]:
    query = "--query-gpu=index,gpu_name,memory.total"
    answer = await run("nvidia-smi", query, "--format=csv,noheader,nounits")
    return [_nvidia(line) for line in answer.splitlines() if line.strip()]


def _nvidia(line: str) -> GPU:
    index, _, rest = line.partition(",")
    name, _, memory = rest.rpartition(",")
    return GPU(index=int(index), name=name.strip(), vendor="NVIDIA", memory=int(memory))


async def _ask_amd(run: Tool) -> list[GPU]:
    shown = ("--showproductname", "--showbus", "--showmeminfo", "vram")
    answer = json.loads(await run("rocm-smi", *shown, "--json"))
    if not isinstance(answer, dict):
        raise TypeError("expected an object by card")
    # There may be gaps between the numbers, and entries that are no cards.
    cards = ((_AMD_CARD.fullmatch(name), card) for name, card in answer.items())
    return [
        GPU(
            index=int(match[1]),
            name=str(card["Card series"]),
            vendor="AMD/ATI",
            memory=int(card["VRAM Total Memory (B)"]) // _MIB,
            pci_address=str(card["PCI Bus"]).lower(),
        )
        for match, card in cards
        if match is not None
    ]


async def _ask_intel(run: Tool) -> list[GPU]:
    answer = json.loads(await run("xpu-smi", "discovery", "--json"))
    found = []
    for device in answer["device_list"]:
        number = str(device["device_id"])
        details = await run("xpu-smi", "discovery", "--json", "--device", number)
        found.append(_intel(json.loads(details)))
    return found


def _intel(device: dict[str, Any]) -> GPU:
    return GPU(
        index=int(device["device_id"]),
        name=str(device["device_name"]),
        vendor="Intel",
        memory=int(device["memory_physical_size_byte"]) // _MIB,
        pci_address=str(device["pci_bdf_address"]),
    )


_PROBES = (("nvidia-smi", _ask_nvidia), ("rocm-smi", _ask_amd), ("xpu-smi", _ask_intel))


async def _run(*command: str) -> str:
    """Run a program and return what it prints.

    Raises:
        FileNotFoundError: it is not installed.
        OSError: it failed, with the end of what it said.
        TimeoutError: it takes too long.
    """
    if shutil.which(command[0]) is None:
        raise FileNotFoundError(command[0])
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_TOOL_SECONDS):
            printed, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        text = (complaint or printed).decode("utf-8", "replace").strip()
        raise OSError(f"exit code {process.returncode}: {text[-200:]}")
    return printed.decode("utf-8", "replace")
