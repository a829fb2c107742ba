"""Documents: how records are written into their rows, and read from them."""

from __future__ import annotations

import msgspec

from bacalhau.models import Execution, Job

encode = msgspec.json.Encoder().encode
decode_job = msgspec.json.Decoder(Job).decode
decode_execution = msgspec.json.Decoder(Execution).decode


def without_job(execution: Execution) -> Execution:
    """Return an execution as it is stored: the job is kept once, not in each of its executions."""
    return execution if execution.job is None else msgspec.structs.replace(execution, job=None)


def prefix_end(prefix: str) -> str | None:
    """Return the least text above all that start with a prefix; None when there is no end.

    SQLite compares text by code points, so this bounds a search by key whatever ``LIKE`` would
    make of the prefix.
    """
    for length in range(len(prefix), 0, -1):
        following = ord(prefix[length - 1]) + 1
        if following == _FIRST_SURROGATE:
            following = _AFTER_SURROGATES
        if following <= _LAST_CODE_POINT:
            return prefix[: length - 1] + chr(following)
    return None


_FIRST_SURROGATE = 0xD800
_AFTER_SURROGATES = 0xE000
_LAST_CODE_POINT = 0x10FFFF
