"""Identifiers (spec api.md 0.1)."""

from __future__ import annotations

import re
from typing import NewType

JobID = NewType("JobID", str)
ExecutionID = NewType("ExecutionID", str)
EvaluationID = NewType("EvaluationID", str)
NodeID = NewType("NodeID", str)

_SHORTENED = re.compile(
    r"^([a-z]-)?([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
)


def short_id(text: str) -> str:
    """Shorten a UUID, with or without its letter, to eight hex digits; leave other text alone."""
    match = _SHORTENED.match(text)
    return f"{match[1] or ''}{match[2]}" if match else text
