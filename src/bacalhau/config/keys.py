"""The table of configuration keys (spec config.md 3). One row each; all else is derived from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bacalhau.lib.units import parse_bytes, parse_cpu

if TYPE_CHECKING:
    from collections.abc import Callable

Value = str | int | bool | tuple[str, ...]

_MAX_PORT = 65_535
_LEVELS = ("trace", "debug", "info", "warn", "warning", "error", "fatal", "panic")


def _check_level(text: str) -> None:
    if text.lower() not in _LEVELS:
        raise ValueError(f"expected one of {', '.join(_LEVELS)}")


@dataclass(frozen=True, slots=True)
class Key:
    """One setting. The type of ``default`` is the type of the setting.

    ``is_duration``: text in Go's syntax, such as ``1m30s``. ``is_map``: a list of ``key=value``.
    ``minimum`` and ``maximum`` bound numbers; durations are bounded below by 0, and by more than
    0 where ``minimum`` is not 0. ``check`` raises ValueError for a text that is not empty and not
    fit.
    """

    name: str
    default: Value
    text: str
    is_duration: bool = False
    is_map: bool = False
    minimum: int = 0
    maximum: int = 2**31 - 1
    check: Callable[[str], object] | None = None

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return "BACALHAU_" + self.name.upper().replace(".", "_")


KEYS: tuple[Key, ...] = (
    Key("API.Host", "127.0.0.1", "Address the API listens on, and the client connects to."),
    Key("API.Port", 1234, "Port of the API.", maximum=_MAX_PORT),
    Key("Compute.AllocatedCapacity.CPU", "70%", "CPU offered to jobs: cores or a percentage."),
    Key("Compute.AllocatedCapacity.Memory", "70%", "Memory offered to jobs."),
    Key("Compute.AllocatedCapacity.Disk", "70%", "Disk space offered to jobs."),
    Key("Compute.AllocatedCapacity.GPU", "100%", "GPUs offered to jobs."),
    Key("Compute.Enabled", False, "Run jobs on this node."),
    Key(
        "Compute.Heartbeat.Interval",
        "15s",
        "Time between signs of life.",
        is_duration=True,
        minimum=1,
    ),
    Key("DataDir", "~/.bacalhau", "Folder of everything this program keeps."),
    Key("Engines.Disabled", (), "Engines that this node does not offer."),
    Key("Engines.Types.Docker.StopTimeout", "10s", "Grace before SIGKILL.", is_duration=True),
    Key("InputSources.Disabled", (), "Input sources that this node does not offer."),
    Key("InputSources.MaxRetryCount", 3, "Attempts after the first for a URL."),
    Key("InputSources.ReadTimeout", "5m", "Longest time to list an input.", is_duration=True),
    Key("InputSources.Types.S3.AllowAnonymous", True, "Read public buckets without credentials."),
    Key("InputSources.Types.S3.Concurrency", 64, "Small objects in flight at once.", minimum=1),
    Key("JobAdmissionControl.AcceptNetworkedJobs", False, "Run jobs that use the network."),
    Key(
        "JobDefaults.Batch.Task.Resources.CPU",
        "500m",
        "CPU of a task that names none.",
        check=parse_cpu,
    ),
    Key(
        "JobDefaults.Batch.Task.Resources.Memory",
        "1Gb",
        "Memory of a task that names none.",
        check=parse_bytes,
    ),
    Key("Labels", (), "Labels of this node, as key=value.", is_map=True),
    Key("Logging.Level", "info", "debug, info, warn or error.", check=_check_level),
    Key("NodeID", "", "Name of this node; made up and kept when empty."),
    Key("Orchestrator.Enabled", False, "Accept and schedule jobs on this node."),
    Key(
        "Orchestrator.NodeManager.DisconnectTimeout",
        "1m",
        "Silence after which a node is gone.",
        is_duration=True,
        minimum=1,
    ),
    Key("Publishers.Disabled", (), "Publishers that this node does not offer."),
    Key("Publishers.Types.Local.Address", "127.0.0.1", "Address under which results are served."),
    Key(
        "Publishers.Types.Local.Port",
        6001,
        "Port under which results are served.",
        maximum=_MAX_PORT,
    ),
    Key("Publishers.Types.S3.PreSignedURLDisabled", False, "Hand out plain S3 locations."),
    Key("Publishers.Types.S3.PreSignedURLExpiration", "30m", "Life of a link.", is_duration=True),
)

BY_NAME = {key.name.lower(): key for key in KEYS}
