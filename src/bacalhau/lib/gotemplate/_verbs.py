"""One value under one verb of ``printf``; for floats all but ``%b`` and ``%x``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bacalhau.lib.gotemplate.literals import encoded, quoted
from bacalhau.lib.gotemplate.values import Byte, type_name

if TYPE_CHECKING:
    from bacalhau.lib.gotemplate.values import Value

_BASES = {"b": 2, "d": 10, "o": 8, "O": 8, "x": 16, "X": 16}
_DIGITS = {2: "b", 8: "o", 10: "d", 16: "x"}
_PREFIXES = {"b": "0b", "o": "0", "x": "0x", "X": "0X"}
_DEFAULT_PRECISION = 6
_LARGE_EXPONENT = 6


@dataclass(frozen=True, slots=True)
class Layout:
    """The flags between ``%`` and a verb. Width and precision are in characters."""

    minus: bool = False
    plus: bool = False
    sharp: bool = False
    space: bool = False
    zero: bool = False
    width: int | None = None
    precision: int | None = None
    is_go_syntax: bool = False

    def padded(self, text: str) -> str:
        """Fill a text up to the width."""
        width = self.width or 0
        if self.minus:
            return text.ljust(width)
        return text.rjust(width, "0" if self.zero else " ")


def plain(value: Value) -> str:
    """Return a value as ``%v`` writes it."""
    return write("v", value, Layout())


def write(verb: str, value: Value, layout: Layout) -> str:
    """Return a value in some layout; if the verb is not for such values, the text says so."""
    if verb == "T" and value is not None:
        return _text("s", type_name(value), layout) or ""
    if verb == "v":
        # Here the flags mean another way of writing, not signs.
        layout = replace(layout, plus=False, sharp=False, is_go_syntax=layout.sharp)
    written = _written(verb, value, layout)
    if written is not None:
        return written
    if value is None:
        return f"%!{verb}(<nil>)"
    return f"%!{verb}({type_name(value)}={_written('v', value, layout)})"


def _written(verb: str, value: Value, layout: Layout) -> str | None:
    if value is None:
        return layout.padded("<nil>") if verb in "vT" else None
    if isinstance(value, bool):
        return layout.padded("true" if value else "false") if verb in "tv" else None
    if isinstance(value, str):
        return _text(verb, value, layout)
    if isinstance(value, float):
        return _real(verb, value, layout)
    if isinstance(value, Mapping):
        return _map(verb, value, layout)
    return _whole(verb, value, layout)


def _map(verb: str, values: Mapping[str, str], layout: Layout) -> str:
    pairs = [
        f"{write_item(verb, name, layout)}:{write_item(verb, values[name], layout)}"
        for name in sorted(values, key=encoded)
    ]
    if layout.is_go_syntax:
        return "map[string]string{" + ", ".join(pairs) + "}"
    return "map[" + " ".join(pairs) + "]"


def write_item(verb: str, text: str, layout: Layout) -> str:
    """Return a name or value of a map."""
    written = _text(verb, text, layout)
    return f"%!{verb}(string={_text('v', text, layout)})" if written is None else written


def _text(verb: str, text: str, layout: Layout) -> str | None:
    if verb in "xX":
        return _hex(verb, text, layout)
    if layout.precision is not None:
        text = text[: layout.precision]
    if verb == "q" or (verb == "v" and layout.is_go_syntax):
        if layout.sharp and _fits_backquotes(text):
            return layout.padded(f"`{text}`")
        return layout.padded(quoted(text, ascii_only=layout.plus))
    return layout.padded(text) if verb in "sv" else None


def _fits_backquotes(text: str) -> bool:
    return not re.search(r"[\x00-\x08\x0a-\x1f`\x7f\ufeff\udc80-\udcff]", text)


def _hex(verb: str, text: str, layout: Layout) -> str:
    data = encoded(text)
    if layout.precision is not None:
        data = data[: layout.precision]
    pairs = [f"{byte:02{verb}}" for byte in data]
    prefix = f"0{verb}" if layout.sharp and pairs else ""
    return layout.padded(prefix + (f" {prefix}" if layout.space else "").join(pairs))


def _whole(verb: str, value: int, layout: Layout) -> str | None:
    if verb == "v":
        if layout.is_go_syntax and isinstance(value, Byte):
            return _digits("x", value, replace(layout, sharp=True))
        return _digits("d", value, layout)
    if verb in _BASES:
        return _digits(verb, value, layout)
    if verb == "c":
        return layout.padded(_rune(value))
    if verb == "q":
        return layout.padded(quoted(_rune(value), quote="'", ascii_only=layout.plus))
    if verb == "U":
        return _unicode(value, layout)
    return None


def _rune(code: int) -> str:
    is_valid = 0 <= code <= 0x10FFFF and not 0xD800 <= code <= 0xDFFF
    return chr(code) if is_valid else "\ufffd"


def _unicode(code: int, layout: Layout) -> str:
    digits = f"{code & (2**64 - 1):X}".rjust(max(layout.precision or 4, 4), "0")
    letter = _rune(code)
    shown = (
        f" '{letter}'" if layout.sharp and 0 <= code <= 0x10FFFF and letter.isprintable() else ""
    )
    return replace(layout, zero=False).padded(f"U+{digits}{shown}")


def _digits(verb: str, value: int, layout: Layout) -> str:
    if layout.precision == 0 and value == 0:
        return replace(layout, zero=False).padded("")
    sign = "-" if value < 0 else "+" if layout.plus else " " if layout.space else ""
    digits = format(abs(value), _DIGITS[_BASES[verb]])
    if layout.precision is not None:
        digits = digits.rjust(layout.precision, "0")
    elif layout.zero and layout.width is not None:
        digits = digits.rjust(layout.width - len(sign), "0")
    if verb == "X":
        digits = digits.upper()
    prefix = _PREFIXES.get(verb, "") if layout.sharp else ""
    if verb == "o" and digits.startswith("0"):
        prefix = ""
    if verb == "O":
        prefix = "0o"
    return replace(layout, zero=False).padded(sign + prefix + digits)


def _real(verb: str, value: float, layout: Layout) -> str | None:
    if verb not in "veEfFgG":
        return None
    digits = _real_digits(verb, abs(value), layout)
    is_negative = value < 0 or str(value).startswith("-")
    sign = "-" if is_negative else "+" if layout.plus else " " if layout.space else ""
    if layout.zero and layout.width is not None:
        return sign + digits.rjust(layout.width - len(sign), "0")
    return layout.padded(sign + digits)


def _real_digits(verb: str, value: float, layout: Layout) -> str:
    precision = layout.precision
    if precision is None and verb in "vgG" and not layout.sharp:
        text = _shortest(value)
        return text.upper() if verb == "G" else text
    style = {"v": "g", "F": "f"}.get(verb, verb)
    precision = _DEFAULT_PRECISION if precision is None else precision
    return f"{value:{'#' if layout.sharp else ''}.{precision}{style}}"


def _shortest(value: float) -> str:
    """Return the fewest digits that mean this number."""
    mantissa, _, power = f"{value!r}".partition("e")
    before, _, after = mantissa.partition(".")
    digits = (before + after).lstrip("0")
    exponent = int(power or 0) + len(before) - 1
    if not digits.strip("0"):
        return "0"
    if before == "0":
        exponent -= len(after) - len(after.lstrip("0")) + 1
    digits = digits.rstrip("0")
    if -4 <= exponent < _LARGE_EXPONENT:
        return _positional(digits, exponent)
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{rest}e{'-' if exponent < 0 else '+'}{abs(exponent):02}"


def _positional(digits: str, exponent: int) -> str:
    if exponent < 0:
        return "0." + "0" * (-exponent - 1) + digits
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    rest = digits[exponent + 1 :]
    return f"{whole}.{rest}" if rest else whole
