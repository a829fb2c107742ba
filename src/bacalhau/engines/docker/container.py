"""The container that runs a task, as the daemon's API describes it (spec engines.md 2.5 to 2.8)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bacalhau.engines.docker.gpus import gpu_config
from bacalhau.models import ExecutionID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bacalhau.engines.docker.daemon import DaemonFacts
    from bacalhau.engines.docker.options import DockerOptions
    from bacalhau.models import JobID, NodeID, Resources
    from bacalhau.models.specs.docker import DockerParams
    from bacalhau.ports import TaskRun, Volume

EXECUTOR_LABEL = "bacalhau-executor"
_JOB_LABEL = "bacalhau-jobID"
EXECUTION_LABEL = "bacalhau-executionID"
DIRECTORY_LABEL = "bacalhau-dataDirectory"

_PIDS_LIMIT = 4096
_MINIMUM_CPUS = 0.01
# Only a task that outlives its node's process is read back from Docker's log; the file must not
# fill the disk, and 2 GiB are more than what is kept as a result.
_LOG_CONFIG = {"Type": "json-file", "Config": {"max-size": "1g", "max-file": "2"}}


@dataclass(frozen=True, slots=True)
class Owner:
    """A node, as its containers name it.

    Its data directory is named, too: a second node with the same name must not take the first
    one's containers for leftovers of its own.
    """

    node_id: NodeID
    directory: str

    @property
    def executor(self) -> str:
        """The name under which v1.5 labels what belongs to a node."""
        return f"bacalhau-{self.node_id}"

    def container_name(self, job_id: JobID, execution_id: ExecutionID) -> str:
        """Return the name of a task's container."""
        return self._name(job_id, execution_id, "executor")

    def network_name(self, job_id: JobID, execution_id: ExecutionID) -> str:
        """Return the name of the network that a task has for itself."""
        return self._name(job_id, execution_id, "network")

    def labels(self, job_id: JobID, execution_id: ExecutionID) -> dict[str, str]:
        """Return the labels of a task's container and of its network."""
        return {
            EXECUTOR_LABEL: self.executor,
            _JOB_LABEL: f"{self.executor}{job_id}",
            EXECUTION_LABEL: self.execution_label(execution_id),
            DIRECTORY_LABEL: self.directory,
        }

    def own_labels(self) -> list[str]:
        """Return the labels that everything of this node has, as the daemon's filters take them."""
        return [f"{EXECUTOR_LABEL}={self.executor}", f"{DIRECTORY_LABEL}={self.directory}"]

    def execution_of(self, labels: Mapping[str, str]) -> ExecutionID:
        """Return the execution that something of this node belongs to."""
        return ExecutionID(labels.get(EXECUTION_LABEL, "").removeprefix(self.executor))

    def execution_label(self, execution_id: ExecutionID) -> str:
        """Return the value of the label that finds an execution's container."""
        return f"{self.executor}{execution_id}"

    def _name(self, job_id: JobID, execution_id: ExecutionID, what: str) -> str:
        name = f"bacalhau-{self.executor}-{job_id}-{execution_id}-{what}"
        return re.sub(r"[^a-zA-Z0-9_.-]", "-", name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """How a container is attached to a network: Docker's mode, and what the task is told of it."""

    mode: str
    env: Mapping[str, str] = field(default_factory=dict)


NO_NETWORK = "none"
HOST_NETWORK = "host"


def container_config(
    owner: Owner,
    params: DockerParams,
    run: TaskRun,
    *,
    attachment: Attachment,
    options: DockerOptions,
    daemon: DaemonFacts,
) -> dict[str, Any]:
    """Return the body of the request that creates a task's container.

    Raises:
        ExecutionError: a GPU cannot be given to it.
    """
    config: dict[str, Any] = {
        "Image": params.image,
        "Tty": False,
        "AttachStdin": False,
        "OpenStdin": False,
        "Env": _environment(params, run.env, attachment.env),
        "Labels": owner.labels(run.job_id, run.execution_id),
        "NetworkDisabled": attachment.mode == NO_NETWORK,
        "HostConfig": {
            "NetworkMode": attachment.mode,
            "Mounts": [*map(_mount, run.inputs), *map(_mount, run.outputs)],
            "PidsLimit": _PIDS_LIMIT,
            "SecurityOpt": ["no-new-privileges"],
            "CapDrop": list(options.dropped_capabilities),
            "LogConfig": _LOG_CONFIG,
            "Init": daemon.has_init,
            **_hosts(attachment),
            **({"ShmSize": options.shm_bytes} if options.shm_bytes else {}),
            **_limits(run.resources, daemon),
            **gpu_config(run.resources.gpus),
        },
    }
    if params.entrypoint is not None:
        config["Entrypoint"] = params.entrypoint
    if params.parameters:
        config["Cmd"] = params.parameters
    if params.working_directory:
        config["WorkingDir"] = params.working_directory
    return config


def _environment(
    params: DockerParams, env: Mapping[str, str], network: Mapping[str, str]
) -> list[str]:
    merged: dict[str, str | None] = {**env, **params.variables(), **network}
    return [name if value is None else f"{name}={value}" for name, value in merged.items()]


def _hosts(attachment: Attachment) -> dict[str, list[str]]:
    if attachment.mode == NO_NETWORK:
        return {}
    if attachment.mode == HOST_NETWORK:
        # The host's own services are at its loopback address here, also where there is no bridge.
        return {"ExtraHosts": ["host.docker.internal:127.0.0.1"]}
    # Only the proxy looks names up. Docker would ask the host's name server for the task, and
    # names can carry data out.
    return {"Dns": ["127.0.0.1"]}


def _limits(resources: Resources, daemon: DaemonFacts) -> dict[str, int]:
    limits = {}
    if resources.memory:
        limits["Memory"] = limits["MemorySwap"] = resources.memory
    if resources.cpu:
        cpus = max(resources.cpu, _MINIMUM_CPUS)
        if daemon.cpus:
            # A node may promise more than there is (Compute.AllocatedCapacity); Docker refuses to.
            cpus = min(cpus, daemon.cpus)
        limits["NanoCpus"] = int(cpus * 1_000_000_000)
    return limits


def _mount(volume: Volume) -> dict[str, Any]:
    return {
        "Type": "bind",
        "Source": str(volume.path),
        "Target": volume.target,
        "ReadOnly": volume.read_only,
    }
