"""GPUs of a container (spec engines.md 2.6)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bacalhau.engines.docker.errors import COMPONENT
from bacalhau.errors import ExecutionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bacalhau.models import GPU

_NVIDIA, _AMD, _INTEL = "NVIDIA", "AMD/ATI", "Intel"
_KERNEL_FUSION = Path("dev/kfd")
_BY_PATH = Path("dev/dri/by-path")


def gpu_config(gpus: Sequence[GPU], root: Path = Path("/")) -> dict[str, Any]:
    """Return the part of a container's host configuration that gives it GPUs.

    NVIDIA's are asked for by their index, which Docker's own runtime resolves. The others are
    device files below ``root``, with the groups that may use them.

    Raises:
        ExecutionError: a GPU is of an unknown vendor, or not attached any more.
    """
    for gpu in gpus:
        if gpu.vendor not in (_NVIDIA, _AMD, _INTEL):
            raise ExecutionError(
                f'job requires GPU from unsupported vendor "{gpu.vendor}"', component=COMPONENT
            )
    config: dict[str, Any] = {}
    if nvidia := [str(gpu.index) for gpu in gpus if gpu.vendor == _NVIDIA]:
        config["DeviceRequests"] = [{"DeviceIDs": nvidia, "Capabilities": [["gpu"]]}]
    if files := list(dict.fromkeys(_device_files(gpus, root))):
        config["Devices"] = [_device(file, root) for file in files]
        config["GroupAdd"] = sorted({str(file.stat().st_gid) for file in files})
    return config


def _device_files(gpus: Iterable[GPU], root: Path) -> Iterable[Path]:
    for gpu in gpus:
        if gpu.vendor == _NVIDIA:
            continue
        if gpu.vendor == _AMD:
            yield _resolved(root / _KERNEL_FUSION)
        for kind in ("card", "render"):
            yield _resolved(root / _BY_PATH / f"pci-{gpu.pci_address}-{kind}")


def _resolved(link: Path) -> Path:
    try:
        return link.resolve(strict=True)
    except OSError as exc:
        raise ExecutionError(
            f'could not find attached device for GPU at "{link}"',
            hint="the GPU was there when the node started; see what became of it",
            component=COMPONENT,
        ) from exc


def _device(file: Path, root: Path) -> dict[str, str]:
    return {
        "PathOnHost": str(file),
        "PathInContainer": f"/{file.relative_to(root.resolve())}",
        "CgroupPermissions": "rwm",
    }
