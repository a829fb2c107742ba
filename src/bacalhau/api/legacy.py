"""What is left of the API before v1.4 (spec api.md 3.5)."""

from __future__ import annotations

BASE = "/api/v1"
_MIGRATION_GUIDE = "https://docs.bacalhau.org/references/cli-reference/command-migration"
_POSTED = ("list", "states", "results", "events", "submit", "cancel", "debug")

GONE: tuple[tuple[str, str], ...] = (
    *(("POST", f"{BASE}/requester/{word}") for word in _POSTED),
    ("GET", f"{BASE}/requester/nodes"),
    ("GET", f"{BASE}/requester/websocket/events"),
)
"""Method and path of operations that are no more."""

_REQUESTER = (*_POSTED, "nodes", "logs", "websocket/events")
_UNVERSIONED = frozenset(
    {
        *("/peers", "/node_info", "/version", "/healthz", "/id", "/livez"),
        *(f"/requester/{word}" for word in _REQUESTER),
    }
)


def current_path(path: str) -> str:
    """Return the path that a path without a version stands for; others as they are."""
    return BASE + path if path in _UNVERSIONED else path


def gone_message(path: str) -> str:
    """Return what callers of an operation that is no more are told."""
    return (
        f"{path} belongs to an API that this server no longer has; "
        f"{_MIGRATION_GUIDE} tells what to use instead"
    )
