"""What a container is given of a node's GPUs (spec engines.md 2.6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bacalhau.engines.docker.gpus import gpu_config
from bacalhau.errors import ExecutionError
from bacalhau.models import GPU

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A machine with two cards: links by address, as the kernel makes them."""
    devices = tmp_path / "dev" / "dri"
    (devices / "by-path").mkdir(parents=True)
    (tmp_path / "dev" / "kfd").touch()
    for number, address in enumerate(("0000:03:00.0", "0000:4d:00.0")):
        for kind, name in (("card", f"card{number}"), ("render", f"renderD{128 + number}")):
            (devices / name).touch()
            (devices / "by-path" / f"pci-{address}-{kind}").symlink_to(f"../{name}")
    return tmp_path


def test_no_gpus_change_nothing(root: Path) -> None:
    assert gpu_config([], root) == {}


def test_nvidia_is_asked_for_by_index(root: Path) -> None:
    gpus = [GPU(index=index, vendor="NVIDIA") for index in (1, 3)]
    assert gpu_config(gpus, root) == {
        "DeviceRequests": [{"DeviceIDs": ["1", "3"], "Capabilities": [["gpu"]]}]
    }


def test_intel_is_given_as_device_files_with_their_group(root: Path) -> None:
    found = gpu_config([GPU(vendor="Intel", pci_address="0000:4d:00.0")], root)
    assert [each["PathInContainer"] for each in found["Devices"]] == [
        "/dev/dri/card1",
        "/dev/dri/renderD129",
    ]
    assert {each["CgroupPermissions"] for each in found["Devices"]} == {"rwm"}
    assert found["Devices"][0]["PathOnHost"] == f"{root}/dev/dri/card1"
    group = (root / "dev" / "dri" / "card1").stat().st_gid
    assert found["GroupAdd"] == [str(group)]


def test_two_of_amd_share_the_kernels_device(root: Path) -> None:
    gpus = [
        GPU(vendor="AMD/ATI", pci_address=address) for address in ("0000:03:00.0", "0000:4d:00.0")
    ]
    found = gpu_config(gpus, root)
    assert [each["PathInContainer"] for each in found["Devices"]] == [
        "/dev/kfd",
        "/dev/dri/card0",
        "/dev/dri/renderD128",
        "/dev/dri/card1",
        "/dev/dri/renderD129",
    ]


def test_one_that_is_not_attached_any_more_is_named(root: Path) -> None:
    with pytest.raises(ExecutionError, match="could not find attached device for GPU at") as caught:
        gpu_config([GPU(vendor="Intel", pci_address="0000:99:00.0")], root)
    assert "pci-0000:99:00.0-card" in caught.value.message


def test_an_unknown_vendor_is_named(root: Path) -> None:
    with pytest.raises(ExecutionError, match='job requires GPU from unsupported vendor "S3"'):
        gpu_config([GPU(vendor="S3")], root)
