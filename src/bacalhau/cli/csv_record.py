"""Comma-separated records as command-line flags use them (spec cli.md 4, storage.md 2.2).

The rules are those of RFC 4180 with one more: a quote must start its field.
"""

from __future__ import annotations


def read_record(text: str) -> list[str]:
    """Split one record into its fields.

    Raises:
        ValueError: ``EOF`` for an empty text; a quote in the wrong place; more than one line.
    """
    if not text:
        raise ValueError("EOF")
    fields: list[str] = []
    position = 0
    while True:
        read = _quoted if text.startswith('"', position) else _bare
        field, position = read(text, position)
        fields.append(field)
        if position == len(text):
            return fields
        position += 1


def write_field(text: str) -> str:
    """Return a field as it stands in a record, quoted where it must be."""
    if any(mark in text for mark in ',"\r\n'):
        return '"' + text.replace('"', '""') + '"'
    return text


def _bare(text: str, start: int) -> tuple[str, int]:
    """Read a field without quotes; return it with the position of the comma or the end."""
    end = text.find(",", start)
    end = len(text) if end < 0 else end
    field = text[start:end]
    if '"' in field:
        raise ValueError(_at(start + field.index('"'), 'bare " in non-quoted field'))
    if "\n" in field or "\r" in field:
        raise ValueError(_at(start, "a line break outside of quotes"))
    return field, end


def _quoted(text: str, start: int) -> tuple[str, int]:
    """Read a field in quotes; a doubled quote stands for one."""
    parts: list[str] = []
    position = start + 1
    while True:
        end = text.find('"', position)
        if end < 0:
            raise ValueError(_at(start, 'extraneous or missing " in quoted-field'))
        parts.append(text[position:end])
        if text.startswith('"', end + 1):
            parts.append('"')
            position = end + 2
            continue
        if end + 1 < len(text) and text[end + 1] != ",":
            raise ValueError(_at(end + 1, 'extraneous or missing " in quoted-field'))
        return "".join(parts), end + 1


def _at(position: int, problem: str) -> str:
    return f"parse error on line 1, column {position + 1}: {problem}"
