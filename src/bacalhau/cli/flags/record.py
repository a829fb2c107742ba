"""The form that ``--input`` and ``--publisher`` share: a location and options in one record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bacalhau.cli.csv_record import read_record

if TYPE_CHECKING:
    from collections.abc import Iterable

SCHEMES = ("s3", "ipfs", "http", "https", "file", "git", "gitlfs")
_OPTION_KEYS = ("opt", "option")


@dataclass(slots=True)
class Record:
    """The fields of one flag. ``bare`` is a first field without a key, as it was written."""

    bare: str = ""
    keys: dict[str, str] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)


def read_fields(text: str, keys: Iterable[str], what: str) -> Record:
    """Split a record into its bare first field, known keys and options.

    A first field that starts with a known ``scheme://`` is bare even when it contains ``=``. Keys
    do not mind case or blanks around them, and stand once; the last of a repeated option wins.

    Raises:
        ValueError: the record is malformed, or a field has an unknown or a repeated key. ``what``
            names the flag in that case: ``storage`` or ``publisher``.
    """
    record = Record()
    for number, text_field in enumerate(read_record(text)):
        name, equals, value = text_field.partition("=")
        name = name.strip().lower()
        if number == 0 and (not equals or scheme_of(text_field)):
            record.bare = text_field
        elif not equals:
            raise ValueError(f"invalid {what} option: {text_field}. Must be a key=value pair")
        elif name in _OPTION_KEYS:
            option, _, setting = value.partition("=")
            if option.strip():
                record.options[option.strip()] = setting
        elif name in record.keys:
            raise ValueError(f"{name} is given twice")
        elif name in keys:
            record.keys[name] = value
        elif what == "publisher":
            raise ValueError(f"invalid publisher option: {text_field}")
        else:
            raise ValueError(f"unexpected key {name} in field {text_field}")
    return record


def scheme_of(location: str) -> str:
    """Return the known scheme that a location starts with, in lower case, else an empty text."""
    scheme, separator, _ = location.strip(" '\"").partition("://")
    return scheme.lower() if separator and scheme.lower() in SCHEMES else ""


def percent_decoded(text: str) -> str:
    """Decode ``%XX``; ``+`` stays as it is.

    Raises:
        ValueError: a ``%`` without two hex digits, or bytes that are not UTF-8.
    """
    from urllib.parse import unquote_to_bytes

    for start in (i for i, letter in enumerate(text) if letter == "%"):
        code = text[start + 1 : start + 3]
        if len(code) < 2 or any(digit not in "0123456789abcdefABCDEF" for digit in code):
            raise ValueError(f'invalid URL escape "{text[start : start + 3]}"; write %25 for %')
    try:
        return unquote_to_bytes(text).decode()
    except UnicodeDecodeError as exc:
        raise ValueError(f'"{text}" is not UTF-8 once decoded') from exc
