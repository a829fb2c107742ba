"""The tree of a regular expression: what has to match, without how it was written."""

from __future__ import annotations

import enum
import unicodedata
from dataclasses import dataclass

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class CharPart:
    """Some characters: those in ``ranges`` or in a Unicode category, or all others."""

    ranges: Ranges = ()
    category: str = ""
    negated: bool = False

    def contains(self, char: str) -> bool:
        """Tell whether a character belongs to this part."""
        code = ord(char)
        inside = any(low <= code <= high for low, high in self.ranges) or bool(
            self.category and unicodedata.category(char).startswith(self.category)
        )
        return inside != self.negated


@dataclass(frozen=True, slots=True)
class Chars:
    """One character out of a set. ``folded``: upper and lower case are the same."""

    parts: tuple[CharPart, ...]
    negated: bool = False
    folded: bool = False

    def contains(self, char: str) -> bool:
        """Tell whether a character belongs to the set."""
        forms = {char, char.lower(), char.upper()} if self.folded else {char}
        inside = any(part.contains(form) for form in forms if len(form) == 1 for part in self.parts)
        return inside != self.negated


class Place(enum.Enum):
    """A condition on a place between two characters."""

    TEXT_START = enum.auto()
    TEXT_END = enum.auto()
    LINE_START = enum.auto()
    LINE_END = enum.auto()
    WORD_EDGE = enum.auto()
    NO_WORD_EDGE = enum.auto()


@dataclass(frozen=True, slots=True)
class Sequence:
    """All items, one after another; without items it matches the empty text."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the items, rather an earlier one."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    """An item several times; ``maximum`` None means without limit. ``lazy``: rather fewer."""

    item: Node
    minimum: int
    maximum: int | None
    lazy: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """An item whose text is asked for. Groups are numbered from 1, by where they open."""

    item: Node
    number: int


Node = Chars | Place | Sequence | Choice | Repeat | Group


def count_groups(node: Node) -> int:
    """Return how many groups a tree has."""
    if isinstance(node, Group):
        return 1 + count_groups(node.item)
    if isinstance(node, Sequence | Choice):
        return sum(map(count_groups, node.items))
    return count_groups(node.item) if isinstance(node, Repeat) else 0
