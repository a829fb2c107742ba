"""The container that runs a task, as the daemon's API describes it (spec engines.md 2.5 to 2.8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bacalhau.engines._docker_errors import COMPONENT
from bacalhau.errors import ExecutionError
from bacalhau.models import NetworkType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.engines._docker_params import DockerParams
    from bacalhau.models import GPU, ExecutionID, JobID, NetworkConfig, NodeID, Resources
    from bacalhau.ports import TaskRun, Volume

EXECUTOR_LABEL = "bacalhau-executor"
_JOB_LABEL = "bacalhau-jobID"
EXECUTION_LABEL = "bacalhau-executionID"

_PIDS_LIMIT = 4096
_MINIMUM_CPUS = 0.01
# Only a task that outlives its node's process is read back from Docker's log; the file must not
# fill the disk, and 2 GiB are more than what is kept as a result.
_LOG_CONFIG = {"Type": "json-file", "Config": {"max-size": "1g", "max-file": "2"}}


@dataclass(frozen=True, slots=True)
class Owner:
    """A node, as its containers name it."""

    node_id: NodeID

    @property
    def executor(self) -> str:
        """The name under which v1.5 labels what belongs to a node."""
        return f"bacalhau-{self.node_id}"

    def container_name(self, job_id: JobID, execution_id: ExecutionID) -> str:
        """Return the name of a task's container."""
        name = f"bacalhau-{self.executor}-{job_id}-{execution_id}-executor"
        return re.sub(r"[^a-zA-Z0-9_.-]", "-", name)

    def labels(self, job_id: JobID, execution_id: ExecutionID) -> dict[str, str]:
        """Return the labels of a task's container."""
        return {
            EXECUTOR_LABEL: self.executor,
            _JOB_LABEL: f"{self.executor}{job_id}",
            EXECUTION_LABEL: self.execution_label(execution_id),
        }

    def execution_label(self, execution_id: ExecutionID) -> str:
        """Return the value of the label that finds an execution's container."""
        return f"{self.executor}{execution_id}"


def container_config(
    owner: Owner, params: DockerParams, run: TaskRun, *, has_init: bool
) -> dict[str, Any]:
    """Return the body of the request that creates a task's container.

    ``has_init``: the daemon has the small init program that collects orphaned processes.
    """
    config: dict[str, Any] = {
        "Image": params.image,
        "Tty": False,
        "AttachStdin": False,
        "OpenStdin": False,
        "Env": _environment(params, run.env),
        "Labels": owner.labels(run.job_id, run.execution_id),
        "NetworkDisabled": run.network.type is NetworkType.NONE,
        "HostConfig": _host_config(run, has_init=has_init),
    }
    if params.entrypoint is not None:
        config["Entrypoint"] = params.entrypoint
    if params.parameters:
        config["Cmd"] = params.parameters
    if params.working_directory:
        config["WorkingDir"] = params.working_directory
    return config


def network_problem(network: NetworkConfig) -> str:
    """Return what a node cannot do of a network, as the end of "does not ...", or nothing."""
    if network.type in _NETWORK_MODES:
        return ""
    return f'run docker tasks with network type "{network.type}", only None and Full'


_NETWORK_MODES = {NetworkType.NONE: "none", NetworkType.FULL: "host"}


def _environment(params: DockerParams, env: dict[str, str]) -> list[str]:
    merged: dict[str, str | None] = {**env, **params.variables()}
    return [name if value is None else f"{name}={value}" for name, value in merged.items()]


def _host_config(run: TaskRun, *, has_init: bool) -> dict[str, Any]:
    mode = _NETWORK_MODES.get(run.network.type)
    if mode is None:
        raise ExecutionError(
            f"this node does not {network_problem(run.network)}", component=COMPONENT
        )
    config: dict[str, Any] = {
        "NetworkMode": mode,
        "Mounts": [*map(_mount, run.inputs), *map(_mount, run.outputs)],
        "PidsLimit": _PIDS_LIMIT,
        "SecurityOpt": ["no-new-privileges"],
        "LogConfig": _LOG_CONFIG,
        "Init": has_init,
        **_limits(run.resources),
        **_gpu_config(run.resources.gpus),
    }
    if mode == "host":
        # The host's own services are at its loopback address here, also where there is no bridge.
        config["ExtraHosts"] = ["host.docker.internal:127.0.0.1"]
    return config


def _limits(resources: Resources) -> dict[str, int]:
    limits = {}
    if resources.memory:
        limits["Memory"] = limits["MemorySwap"] = resources.memory
    if resources.cpu:
        limits["NanoCpus"] = int(max(resources.cpu, _MINIMUM_CPUS) * 1_000_000_000)
    return limits


def _mount(volume: Volume) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": str(volume.path),
        "Target": volume.target,
        "ReadOnly": volume.read_only,
    }


def _gpu_config(gpus: Sequence[GPU]) -> dict[str, Any]:
    if not gpus:
        return {}
    for gpu in gpus:
        if gpu.vendor != "NVIDIA":
            raise ExecutionError(
                f'job requires GPU from unsupported vendor "{gpu.vendor}"', component=COMPONENT
            )
    request = {"DeviceIDs": [str(gpu.index) for gpu in gpus], "Capabilities": [["gpu"]]}
    return {"DeviceRequests": [request]}
