"""Flags of nodes from before there were configuration keys: hidden, and still understood.

Those of which nothing remains are accepted and say so (spec cli.md 8.4, 8.10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bacalhau.cli.command import Flag
from bacalhau.cli.values import BOOL, STRING, STRINGS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bacalhau.cli.session import Session
    from bacalhau.cli.values import Kind

NO_EFFECT = "it has no effect"
_ADMISSION = "JobAdmissionControl"
_CAPACITY = "Compute.AllocatedCapacity"
_MANIFESTS = "Engines.Types.Docker.ManifestCache"
_ROWS: tuple[tuple[str, Kind, str], ...] = (
    ("job-selection-reject-stateless", BOOL, f"{_ADMISSION}.RejectStatelessJobs"),
    ("job-selection-accept-networked", BOOL, f"{_ADMISSION}.AcceptNetworkedJobs"),
    ("job-selection-probe-http", STRING, f"{_ADMISSION}.ProbeHTTP"),
    ("job-selection-probe-exec", STRING, f"{_ADMISSION}.ProbeExec"),
    ("job-selection-data-locality", STRING, ""),
    ("disable-engine", STRINGS, "Engines.Disabled"),
    ("disabled-publisher", STRINGS, "Publishers.Disabled"),
    ("disable-storage", STRINGS, "InputSources.Disabled"),
    ("limit-total-cpu", STRING, f"{_CAPACITY}.CPU"),
    ("limit-total-memory", STRING, f"{_CAPACITY}.Memory"),
    ("limit-total-gpu", STRING, f"{_CAPACITY}.GPU"),
    ("limit-job-cpu", STRING, ""),
    ("limit-job-memory", STRING, ""),
    ("limit-job-disk", STRING, ""),
    ("limit-job-gpu", STRING, ""),
    ("ignore-physical-resource-limits", STRING, ""),
    ("requester-job-translation-enabled", BOOL, ""),
    ("docker-manifest-cache-size", STRING, f"{_MANIFESTS}.Size"),
    ("docker-manifest-cache-duration", STRING, f"{_MANIFESTS}.TTL"),
    ("docker-manifest-cache-frequency", STRING, f"{_MANIFESTS}.Refresh"),
)


def _advice(key: str) -> str:
    return f"Use --config {key}=<value> to set this configuration" if key else NO_EFFECT


OLD_NODE_FLAGS = tuple(
    Flag(name, kind, None, key or "Nothing.", deprecated=_advice(key)) for name, kind, key in _ROWS
)


def apply_old_flags(session: Session, options: Mapping[str, Any]) -> None:
    """Set the keys that the given ones of these flags stand for; ``--config`` wins."""
    for name, _, key in _ROWS:
        if key and name in session.given:
            value = options[name.replace("-", "_")]
            text = ",".join(value) if isinstance(value, list) else value
            session.set_key(key, text, flag=name)
