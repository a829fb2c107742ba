"""How the executions of a job divide an input from S3 among themselves (spec storage.md 9.1)."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from bacalhau.lib.date_layout import LayoutError, read_layout
from bacalhau.lib.pattern import PatternError, compile_pattern
from bacalhau.models.params import ParamsModel
from bacalhau.models.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPE_HINT = "Type is none, object, regex, substring, date or balanced"


class PartitionType(enum.StrEnum):
    """What decides which execution gets an object."""

    NONE = "none"
    OBJECT = "object"
    REGEX = "regex"
    SUBSTRING = "substring"
    DATE = "date"
    BALANCED = "balanced"


class S3Partition(ParamsModel, frozen=True, kw_only=True):
    """``Params.Partition``. ``type``, in any case, says which of the others count.

    ``pattern`` belongs to ``regex``, ``date_format`` to ``date``; ``substring`` has characters from
    ``start_index``, which counts, to ``end_index``, which does not. Without a type, every execution
    gets everything.
    """

    type: str = ""
    pattern: str = ""
    start_index: int = 0
    end_index: int = 0
    date_format: str = ""

    @property
    def kind(self) -> PartitionType:
        """The type.

        Raises:
            ValueError: there is no such type.
        """
        return PartitionType(self.type.strip().lower() or PartitionType.NONE)


def partition_problems(partition: S3Partition) -> Iterator[Problem]:
    """Yield what can never work; paths begin with ``Params.Partition``."""
    try:
        kind = partition.kind
    except ValueError:
        text = f"unsupported partition key type {partition.type}"
        yield Problem("Params.Partition.Type", text, _TYPE_HINT)
        return
    if kind is PartitionType.REGEX:
        yield from _pattern_problems(partition.pattern)
    elif kind is PartitionType.SUBSTRING:
        if partition.start_index < 0:
            hint = "the first character has number 0"
            yield Problem("Params.Partition.StartIndex", "start index cannot be negative", hint)
        if partition.end_index <= partition.start_index:
            hint = "EndIndex is the number of the character behind the last one that counts"
            text = "end index must be greater than start index"
            yield Problem("Params.Partition.EndIndex", text, hint)
    elif kind is PartitionType.DATE:
        yield from _layout_problems(partition.date_format)


def partition_warnings(partition: S3Partition) -> Iterator[str]:
    """Yield what works, but hardly as it is meant; the partition has no problems."""
    if not partition.type.strip() and partition != S3Partition():
        yield "Partition has no Type, so every execution gets all objects"
    if partition.kind is not PartitionType.DATE:
        return
    layout = read_layout(partition.date_format)
    if not layout.has_elements:
        yield (
            f'DateFormat "{partition.date_format}" has no element of a date, so all objects belong '
            "to the first execution; write 2006-01-02 or %Y-%m-%d"
        )
    elif layout.varies_in_width:
        yield (
            f'DateFormat "{partition.date_format}" reads dates of its own length in bytes; '
            "objects with a shorter or longer one belong to the first execution"
        )


def _pattern_problems(pattern: str) -> Iterator[Problem]:
    path = "Params.Partition.Pattern"
    if not pattern:
        yield Problem(path, "regex pattern cannot be empty", r"write one such as ^(\d{4})-")
        return
    try:
        compile_pattern(pattern)
    except PatternError as exc:
        yield Problem(path, f"invalid regex pattern: {exc}", "write it in the syntax of RE2")


def _layout_problems(date_format: str) -> Iterator[Problem]:
    path, hint = "Params.Partition.DateFormat", "write 2006-01-02 or %Y-%m-%d"
    if not date_format:
        yield Problem(path, "date format cannot be empty", hint)
        return
    try:
        read_layout(date_format)
    except LayoutError:
        yield Problem(path, f"invalid date format: {date_format}", hint)
