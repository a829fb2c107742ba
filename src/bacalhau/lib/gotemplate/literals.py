"""How Go spells texts and numbers.

Go's texts are bytes. Ours are ``str``: a byte that belongs to no character is a lone surrogate,
as Python itself writes such bytes (``surrogateescape``).
"""

from __future__ import annotations

import re

_SIMPLE = dict(zip("abfnrtv\\", "\a\b\f\n\r\t\v\\", strict=True))
_ESCAPE = re.compile(
    r"\\(?:(?P<octal>[0-7]{3})|x(?P<byte>[0-9a-fA-F]{2})|u(?P<short>[0-9a-fA-F]{4})"
    r"|U(?P<long>[0-9a-fA-F]{8})|(?P<simple>.)|\Z)",
    re.DOTALL,
)
_INTEGER = re.compile(
    r"[+-]?(?:0[xX](?P<hex>(?:_?[0-9a-fA-F])+)|0[bB](?P<binary>(?:_?[01])+)"
    r"|0[oO]?(?P<octal>(?:_?[0-7])+)|(?P<decimal>0|[1-9](?:_?[0-9])*))"
)
_BASES = {"hex": 16, "binary": 2, "octal": 8, "decimal": 10}
_RUN = r"[0-9](?:_?[0-9])*"
_FLOAT = re.compile(rf"[+-]?(?:{_RUN}(?:\.(?:{_RUN})?)?|\.{_RUN})(?:[eE][+-]?{_RUN})?")
_HEX_FLOAT = re.compile(
    r"[+-]?0[xX](?=_?\.?[0-9a-fA-F])(?:_?[0-9a-fA-F])*"
    r"(?:\.(?:[0-9a-fA-F](?:_?[0-9a-fA-F])*)?)?[pP][+-]?[0-9]+"
)
_MAX_DIGITS = 100
_INVALID = "invalid syntax"


def encoded(text: str) -> bytes:
    """Return the bytes of a text."""
    return text.encode("utf-8", "surrogateescape")


def decoded(data: bytes) -> str:
    """Return the text of some bytes."""
    return data.decode("utf-8", "surrogateescape")


def joined(parts: list[str]) -> str:
    """Put texts together; bytes that become a character only now do so."""
    text = "".join(parts)
    if text.isascii():
        return text
    return decoded(encoded(text))


def unquoted(written: str) -> str:
    """Return what a literal in double or back quotes says.

    Raises:
        ValueError: with a reason.
    """
    if written.startswith("`"):
        return written[1:-1].replace("\r", "")
    return joined([_ESCAPE.sub(lambda match: _meaning(match, '"'), written[1:-1])])


def character(written: str) -> int:
    """Return the code point of a literal such as ``'a'``.

    Raises:
        ValueError: with a reason.
    """
    body = written[1:-1]
    escape = _ESCAPE.match(body)
    first = _meaning(escape, "'") if escape else body[:1]
    if not first:
        raise ValueError(_INVALID)
    if (escape.end() if escape else 1) != len(body):
        raise ValueError(f"malformed character constant: {written}")
    data = encoded(first)
    return data[0] if len(data) == 1 else ord(first)


def _meaning(match: re.Match[str], quote: str) -> str:
    if match["simple"] is not None:
        letter = match["simple"]
        if letter != quote and letter not in _SIMPLE:
            raise ValueError(_INVALID)
        return _SIMPLE.get(letter, letter)
    if match["octal"] or match["byte"]:
        value = int(match["octal"], 8) if match["octal"] else int(match["byte"], 16)
        if value > 0xFF:
            raise ValueError(_INVALID)
        return decoded(bytes([value]))
    digits = match["short"] or match["long"]
    if not digits:
        raise ValueError(_INVALID)
    value = int(digits, 16)
    if value > 0x10FFFF or 0xD800 <= value <= 0xDFFF:
        raise ValueError(_INVALID)
    return chr(value)


def number(written: str) -> int | float | None:
    """Return the value of a number; None for one that fits 64 bits only without a sign.

    Raises:
        ValueError: with a reason.
    """
    if written.endswith("i") and written[:2].lower() != "0x":
        raise ValueError(f'complex numbers are not supported: "{written}"')
    whole = _INTEGER.fullmatch(written)
    if whole and whole.lastgroup and len(written) <= _MAX_DIGITS:
        value = int(whole[whole.lastgroup].replace("_", ""), _BASES[whole.lastgroup])
        value = -value if written.startswith("-") else value
        if -(2**63) <= value < 2**63:
            return value
        if 0 <= value < 2**64 and not written.startswith("+"):
            return None
    return _real(written)


def _real(written: str) -> float:
    plain = written.replace("_", "")
    try:
        if _HEX_FLOAT.fullmatch(written):
            value = float.fromhex(plain)
        elif _FLOAT.fullmatch(written):
            value = float(plain)
        else:
            raise ValueError
        if value in (float("inf"), float("-inf")):
            raise ValueError
    except (ValueError, OverflowError):
        raise ValueError(f'illegal number syntax: "{written}"') from None
    if not any(letter in written for letter in ".eEpP"):
        raise ValueError(f'integer overflow: "{written}"')
    return value


def quoted(text: str, *, quote: str = '"', ascii_only: bool = False) -> str:
    """Return a text as Go writes it in its programs."""
    return quote + "".join(_spelled(letter, quote, ascii_only) for letter in text) + quote


_SPELLINGS = {meaning: f"\\{letter}" for letter, meaning in _SIMPLE.items()}


def _spelled(letter: str, quote: str, ascii_only: bool) -> str:
    if letter == quote:
        return f"\\{letter}"
    code = ord(letter)
    if letter in _SPELLINGS:
        return _SPELLINGS[letter]
    if letter.isprintable() and (code < 0x80 or not ascii_only):
        return letter
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
