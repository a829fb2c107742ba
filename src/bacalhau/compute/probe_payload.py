"""What the operator's probes are told of a job (spec orchestration.md 6.2, security.md 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from bacalhau.models import Job

MAX_BYTES = 10 * 2**20
MAX_ITEMS = 1_000


def probe_payload(job: Job) -> bytes:
    """Return ``{"Job": ...}`` as JSON, with the names of the API.

    Raises:
        ValueError: it is too large to be judged; the text completes "this node does not ...".
    """
    payload = msgspec.json.encode({"Job": job}, order="deterministic")
    if len(payload) > MAX_BYTES:
        raise ValueError(f"accept jobs larger than {MAX_BYTES // 2**20} MiB")
    if _longest_list(msgspec.json.decode(payload)) > MAX_ITEMS:
        raise ValueError(f"accept jobs with lists of more than {MAX_ITEMS} elements")
    return payload


def _longest_list(value: Any) -> int:
    items = value.values() if isinstance(value, dict) else value
    if not isinstance(value, dict | list):
        return 0
    own = len(value) if isinstance(value, list) else 0
    return max([own, *map(_longest_list, items)])
