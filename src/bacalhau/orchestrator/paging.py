"""The tokens by which clients go on reading a job's history (spec api.md 3.7).

Clients treat tokens as opaque; these have the form that v1.5 gave them. Those of the job list are
the store's own cursors (``bacalhau.ports.paging``).
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

from bacalhau.errors import UserError

_MAX_NUMBER = 2**32 - 1


@dataclass(frozen=True, slots=True)
class HistoryToken:
    """The page of events that begins at ``next_seq``; ``limit`` 0 is the server's choice.

    ``shown_at`` is the time, in seconds since 1970, of the last unrecorded event that was shown; 0
    if there was none. Then the token has the form of v1.5.
    """

    limit: int = 0
    next_seq: int = 1
    shown_at: int = 0

    def encode(self) -> str:
        """Return the text that a client sends back."""
        plain = f":N:{self.limit}:{self.next_seq}"
        if self.shown_at:
            plain += f":{self.shown_at}"
        return base64.urlsafe_b64encode(plain.encode()).rstrip(b"=").decode()

    @classmethod
    def decode(cls, text: str) -> HistoryToken:
        """Read a token.

        Raises:
            UserError: code ``BadRequest``: not a token of a history.
        """
        try:
            return cls(*_numbers(text))
        except ValueError as exc:
            raise UserError(
                f'next_token "{text}" cannot be read: {exc}',
                hint="use NextToken as it was returned, or leave it out to begin anew",
                component="JobStore",
                fields=["next_token"],
            ) from exc


def _numbers(text: str) -> list[int]:
    padded = text + "=" * (-len(text) % 4)
    try:
        plain = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as exc:
        raise ValueError("it is not base64 of text") from exc
    parts = plain.split(":")
    if len(parts) not in (4, 5):
        raise ValueError(f"it has {len(parts)} parts instead of 4")
    return [_number(part) for part in parts[2:]]


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or int(text) > _MAX_NUMBER:
        raise ValueError(f'"{text}" is not a number from 0 to {_MAX_NUMBER}')
    return int(text)
