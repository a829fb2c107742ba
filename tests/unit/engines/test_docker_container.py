"""The body of the request that creates a container (spec engines.md 2.5 to 2.8)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bacalhau.engines.docker.container import Attachment, Owner, container_config
from bacalhau.engines.docker.daemon import DaemonFacts
from bacalhau.engines.docker.options import DockerOptions
from bacalhau.models import GPU, ExecutionID, JobID, NodeID, Resources
from bacalhau.models.specs.docker import DockerParams
from bacalhau.ports import Volume
from tests.support.engines import make_run

OWNER = Owner(NodeID("n-1"), "/data")


def config(
    params: DockerParams | None = None,
    attachment: Attachment | None = None,
    options: DockerOptions | None = None,
    cpus: int = 0,
    **changes: Any,
) -> dict[str, Any]:
    return container_config(
        OWNER,
        params or DockerParams(image="i"),
        make_run(**changes),
        attachment=attachment or Attachment(mode="none"),
        options=options or DockerOptions(logins={}),
        daemon=DaemonFacts(platform="linux/amd64", has_init=True, cpus=cpus),
    )


def test_names_and_labels_are_those_of_v15() -> None:
    assert OWNER.container_name(JobID("j-1"), ExecutionID("e-1")) == (
        "bacalhau-bacalhau-n-1-j-1-e-1-executor"
    )
    assert config()["Labels"] == {
        "bacalhau-executor": "bacalhau-n-1",
        "bacalhau-jobID": "bacalhau-n-1j-1",
        "bacalhau-executionID": "bacalhau-n-1e-1",
        "bacalhau-dataDirectory": "/data",
    }


def test_a_node_id_that_docker_would_not_take_as_a_name_is_made_fit() -> None:
    name = Owner(NodeID("rack 1/node:2"), "/data").container_name(JobID("j-1"), ExecutionID("e-1"))
    assert name == "bacalhau-bacalhau-rack-1-node-2-j-1-e-1-executor"


def test_what_is_not_given_is_left_to_the_image() -> None:
    found = config()
    assert not {"Entrypoint", "Cmd", "WorkingDir", "User"} & found.keys()


def test_an_empty_entry_point_is_not_the_same_as_none() -> None:
    assert config(DockerParams(image="i", entrypoint=[]))["Entrypoint"] == []
    assert "Entrypoint" not in config(DockerParams(image="i", entrypoint=None))


def test_variables_of_the_engine_replace_those_of_the_job_once() -> None:
    params = DockerParams(image="i", environment_variables=["B=2", "A=own", "PATH"])
    assert config(params, env={"A": "job", "C": ""})["Env"] == ["A=own", "C=", "B=2", "PATH"]


def test_no_limit_is_set_where_none_is_given() -> None:
    host = config()["HostConfig"]
    assert not {"Memory", "MemorySwap", "NanoCpus"} & host.keys()


def test_limits_leave_no_room_for_swap_and_a_minimum_of_cpu() -> None:
    host = config(resources=Resources(cpu=0.001, memory=5))["HostConfig"]
    assert (host["Memory"], host["MemorySwap"], host["NanoCpus"]) == (5, 5, 10_000_000)


@pytest.mark.parametrize(("cpus", "given"), [(4, 4), (16, 16), (0, 16)])
def test_no_more_cpu_is_asked_of_the_daemon_than_it_says_it_has(cpus: int, given: int) -> None:
    host = config(resources=Resources(cpu=16), cpus=cpus)["HostConfig"]
    assert host["NanoCpus"] == given * 1_000_000_000


def test_mounts_are_inputs_then_outputs_in_their_order() -> None:
    inputs = (
        Volume(path=Path("/a"), target="/in", read_only=True),
        Volume(path=Path("/b"), target="/in/b"),
    )
    outputs = (Volume(path=Path("/o"), target="/out"),)
    mounts = config(inputs=inputs, outputs=outputs)["HostConfig"]["Mounts"]
    assert [(each["Source"], each["Target"], each["ReadOnly"]) for each in mounts] == [
        ("/a", "/in", True),
        ("/b", "/in/b", False),
        ("/o", "/out", False),
    ]


def test_without_a_network_there_is_none_at_all() -> None:
    none = config()
    assert (none["HostConfig"]["NetworkMode"], none["NetworkDisabled"]) == ("none", True)


def test_the_hosts_network_has_a_name_for_the_host() -> None:
    full = config(attachment=Attachment(mode="host"))
    assert (full["HostConfig"]["NetworkMode"], full["NetworkDisabled"]) == ("host", False)
    assert full["HostConfig"]["ExtraHosts"] == ["host.docker.internal:127.0.0.1"]


def test_variables_of_the_network_win_and_names_are_not_looked_up_in_one_of_its_own() -> None:
    attachment = Attachment(mode="its-own", env={"http_proxy": "10.0.0.1:99"})
    params = DockerParams(image="i", environment_variables=["http_proxy=elsewhere"])
    found = config(params, attachment=attachment)
    assert found["Env"] == ["http_proxy=10.0.0.1:99"]
    assert found["HostConfig"]["NetworkMode"] == "its-own"
    assert found["HostConfig"]["Dns"] == ["127.0.0.1"]


def test_the_operator_limits_root_and_shared_memory() -> None:
    options = DockerOptions(logins={}, dropped_capabilities=("ALL",), shm_bytes=5)
    host = config(options=options)["HostConfig"]
    assert (host["CapDrop"], host["ShmSize"]) == (["ALL"], 5)
    assert "ShmSize" not in config()["HostConfig"]


def test_gpus_are_part_of_it() -> None:
    gpus = [GPU(index=1, vendor="NVIDIA"), GPU(index=3, vendor="NVIDIA")]
    (request,) = config(resources=Resources(gpu=2, gpus=gpus))["HostConfig"]["DeviceRequests"]
    assert request == {"DeviceIDs": ["1", "3"], "Capabilities": [["gpu"]]}
