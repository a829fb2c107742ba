"""Short names for inputs, by which nodes and the orchestrator speak of what a node has of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from bacalhau.models.job import SpecConfig

_DIGITS = 20
_UNDIVIDED = ("", "none")


def fingerprint(source: SpecConfig, partition_index: int = 0, partition_count: int = 1) -> str:
    """Return a name that is the same for equal sources, wherever a task wants their data.

    The partition counts only where the parameters divide the data. Spelling of parameters' names
    and empty parameters make no difference.
    """
    params = _named(source.params)
    part = (partition_index, partition_count) if is_divided(source) else (0, 1)
    content = msgspec.json.encode((source.kind, params, part), order="deterministic")
    return hashlib.sha256(content).hexdigest()[:_DIGITS]


def is_divided(source: SpecConfig) -> bool:
    """Tell whether the executions of a job get different parts of the data."""
    partition = _named(source.params).get("partition")
    if not isinstance(partition, dict):
        return False
    kind = _named(partition).get("type", "")
    return isinstance(kind, str) and kind.strip().casefold() not in _UNDIVIDED


def _named(params: dict[str, Any]) -> dict[str, Any]:
    return {name.casefold(): value for name, value in params.items() if value}
