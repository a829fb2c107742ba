"""Text of others, as a terminal may have it.

What a task prints, and the names that somebody gave to a job, are no commands to the terminal of
whoever looks at them: escape sequences move its cursor, change its title, or hide what follows.
"""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline
    "\u2028\u2029"  # further ends of lines
    "\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # marks that turn the direction of writing
)


def visible(text: str) -> str:
    r"""Return text with control characters written out, as ``\x1b``; tabs and newlines stay.

    Lines that end as on Windows end as elsewhere.
    """
    return _UNSEEN.sub(_written_out, text.replace("\r\n", "\n"))


def _written_out(match: re.Match[str]) -> str:
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
