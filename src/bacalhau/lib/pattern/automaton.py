"""A tree as numbered states: each takes a character, checks a place, notes it, or branches."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bacalhau.lib.pattern.parser import PatternError
from bacalhau.lib.pattern.tree import Chars, Choice, Group, Node, Place, Repeat, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterable

FINAL = 0
_MAX_STATES = 5_000


class Before(enum.Enum):
    """What stands before a place in the text, as far as conditions ask for it."""

    NOTHING = enum.auto()
    NEW_LINE = enum.auto()
    WORD = enum.auto()
    OTHER = enum.auto()


@dataclass(frozen=True, slots=True)
class Mark:
    """Takes no character; notes where in the text it was passed."""

    slot: int


Condition = Chars | Place | Mark | None


class Automaton:
    """States that lead to ``FINAL``, with the places of groups noted if that is asked for.

    Group ``n`` begins at slot ``2 * n`` and ends at the next one; group 0 is the whole match.

    Attributes:
        first: The state to begin with.
        conditions: What each state asks for.
        targets: Where it leads, in the order of preference.
    """

    def __init__(self, tree: Node, *, with_groups: bool) -> None:
        self.conditions: list[Condition] = [None]
        self.targets: list[tuple[int, ...]] = [()]
        self._with_groups = with_groups
        self._marks = 0
        self.first = self._add_tree(Group(tree, 0), FINAL)

    def step(self, states: Iterable[int], char: str) -> Iterable[int]:
        """Return the states behind those that take this character."""
        for state in states:
            condition = self.conditions[state]
            if char and isinstance(condition, Chars) and condition.contains(char):
                yield from self.targets[state]

    def passed(self, state: int, before: Before, char: str) -> tuple[int, ...]:
        """Return where a state leads, at one place, without taking a character."""
        condition = self.conditions[state]
        if isinstance(condition, Chars):
            return ()
        if isinstance(condition, Place) and not _holds(condition, before, char):
            return ()
        return self.targets[state]

    def _add_tree(self, node: Node, target: int) -> int:
        """Add the states of a tree that go on to ``target``; return the first of them."""
        if isinstance(node, Chars | Place):
            return self._add(node, target)
        if isinstance(node, Sequence):
            for item in reversed(node.items):
                target = self._add_tree(item, target)
            return target
        if isinstance(node, Choice):
            return self._add(None, *(self._add_tree(item, target) for item in node.items))
        if isinstance(node, Group):
            return self._add_group(node, target)
        return self._add_repeat(node, target)

    def _add_group(self, node: Group, target: int) -> int:
        if not self._with_groups:
            return self._add_tree(node.item, target)
        self._marks += 2
        end = self._add(Mark(2 * node.number + 1), target)
        return self._add(Mark(2 * node.number), self._add_tree(node.item, end))

    def _add_repeat(self, node: Repeat, target: int) -> int:
        if node.maximum is None:
            return self._add_loop(node, target)
        end = target
        for _ in range(node.maximum - node.minimum):
            target = self._branch(node, self._add_tree(node.item, target), end)
        for _ in range(node.minimum):
            target = self._add_tree(node.item, target)
        return target

    def _add_loop(self, node: Repeat, target: int) -> int:
        """Add an item that comes again without limit.

        What may be empty is entered before the loop is: so it is preferred to nothing at all.
        """
        loop = self._branch(node, target, target)
        again = self._add_tree(node.item, loop)
        self.targets[loop] = (target, again) if node.lazy else (again, target)
        if node.minimum == 0:
            return self._branch(node, again, target) if _may_be_empty(node.item) else loop
        for _ in range(node.minimum - 1):
            again = self._add_tree(node.item, again)
        return again

    def _branch(self, node: Repeat, more: int, end: int) -> int:
        return self._add(None, *((end, more) if node.lazy else (more, end)))

    def _add(self, condition: Condition, *targets: int) -> int:
        if len(self.targets) - self._marks >= _MAX_STATES:
            raise PatternError("error parsing regexp: expression too large")
        self.conditions.append(condition)
        self.targets.append(targets)
        return len(self.targets) - 1


def kind_of(char: str) -> Before:
    """Say what a character is for the place behind it."""
    if not char:
        return Before.NOTHING
    if char == "\n":
        return Before.NEW_LINE
    return Before.WORD if char == "_" or (char.isascii() and char.isalnum()) else Before.OTHER


def _may_be_empty(node: Node) -> bool:
    if isinstance(node, Sequence):
        return all(map(_may_be_empty, node.items))
    if isinstance(node, Choice):
        return any(map(_may_be_empty, node.items))
    if isinstance(node, Repeat):
        return node.minimum == 0 or _may_be_empty(node.item)
    return _may_be_empty(node.item) if isinstance(node, Group) else isinstance(node, Place)


def _holds(place: Place, before: Before, char: str) -> bool:
    if place is Place.TEXT_START:
        return before is Before.NOTHING
    if place is Place.TEXT_END:
        return not char
    if place is Place.LINE_START:
        return before in (Before.NOTHING, Before.NEW_LINE)
    if place is Place.LINE_END:
        return char in ("", "\n")
    is_edge = (before is Before.WORD) != (kind_of(char) is Before.WORD)
    return is_edge == (place is Place.WORD_EDGE)
