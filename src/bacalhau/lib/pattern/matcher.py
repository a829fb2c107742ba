"""Matching: a tree becomes a finite automaton, run with all its states at once."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

from bacalhau.lib.pattern.parser import PatternError, parse
from bacalhau.lib.pattern.tree import Chars, Choice, Node, Place, Repeat, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_STATES = 5_000
_MAX_SITUATIONS = 1_000
_FINAL = 0


def compile_pattern(text: str) -> Pattern:
    """Compile a regular expression of RE2.

    Raises:
        PatternError: with a text that says what is wrong, and where.
    """
    return Pattern(text)


class _Before(enum.Enum):
    """What stands before a place in the text, as far as conditions ask for it."""

    NOTHING = enum.auto()
    NEW_LINE = enum.auto()
    WORD = enum.auto()
    OTHER = enum.auto()


class _Situation:
    """The states the automaton may be in at a place, and where each next character leads.

    A move to None means that the expression has matched.
    """

    __slots__ = ("before", "moves", "states")

    def __init__(self, states: frozenset[int], before: _Before) -> None:
        self.states = states
        self.before = before
        self.moves: dict[str, _Situation | None] = {}


class Pattern:
    """A compiled regular expression."""

    def __init__(self, text: str) -> None:
        self._automaton = _Automaton()
        self._first = self._automaton.add_tree(parse(text), _FINAL)
        self._situations: dict[tuple[frozenset[int], _Before], _Situation] = {}

    def matches(self, text: str) -> bool:
        """Tell whether the expression matches anywhere in the text."""
        situation = self._situation(frozenset((self._first,)), _Before.NOTHING)
        for char in text:
            if char in situation.moves:
                following = situation.moves[char]
            else:
                following = self._move(situation, char)
            if following is None:
                return True
            situation = following
        return self._move(situation, "") is None

    def _move(self, situation: _Situation, char: str) -> _Situation | None:
        """Work out, and remember, where a character leads; ``""`` is the end of the text."""
        reached = self._automaton.reachable(situation.states, situation.before, char)
        if _FINAL in reached:
            following = None
        else:
            # A match may begin at every character, so the first state is always among them.
            states = frozenset((self._first, *self._automaton.step(reached, char)))
            following = self._situation(states, _before(char))
        situation.moves[char] = following
        return following

    def _situation(self, states: frozenset[int], before: _Before) -> _Situation:
        key = states, before
        if key not in self._situations:
            if len(self._situations) >= _MAX_SITUATIONS:
                self._situations.clear()
            self._situations[key] = _Situation(states, before)
        return self._situations[key]


class _Automaton:
    """Numbered states: each either takes a character, checks a place, or branches."""

    def __init__(self) -> None:
        self._conditions: list[Chars | Place | None] = [None]
        self._targets: list[tuple[int, ...]] = [()]

    def add_tree(self, node: Node, target: int) -> int:
        """Add the states of a tree that go on to ``target``; return the first of them."""
        if isinstance(node, Chars | Place):
            return self._add(node, target)
        if isinstance(node, Sequence):
            for item in reversed(node.items):
                target = self.add_tree(item, target)
            return target
        if isinstance(node, Choice):
            return self._add(None, *(self.add_tree(item, target) for item in node.items))
        return self._add_repeat(node, target)

    def _add_repeat(self, node: Repeat, target: int) -> int:
        if node.maximum is None:
            loop = self._add(None, target)
            self._targets[loop] = (self.add_tree(node.item, loop), target)
            target = loop
        else:
            end = target
            for _ in range(node.maximum - node.minimum):
                target = self._add(None, self.add_tree(node.item, target), end)
        for _ in range(node.minimum):
            target = self.add_tree(node.item, target)
        return target

    def _add(self, condition: Chars | Place | None, *targets: int) -> int:
        if len(self._targets) >= _MAX_STATES:
            raise PatternError("error parsing regexp: expression too large")
        self._conditions.append(condition)
        self._targets.append(targets)
        return len(self._targets) - 1

    def reachable(self, states: Iterable[int], before: _Before, char: str) -> set[int]:
        """Return the states that are reached without taking a character, at one place."""
        reached: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state in reached:
                continue
            reached.add(state)
            condition = self._conditions[state]
            if condition is None or (
                isinstance(condition, Place) and _holds(condition, before, char)
            ):
                waiting.extend(self._targets[state])
        return reached

    def step(self, states: Iterable[int], char: str) -> Iterable[int]:
        """Return the states behind those that take this character."""
        for state in states:
            condition = self._conditions[state]
            if char and isinstance(condition, Chars) and condition.contains(char):
                yield from self._targets[state]


def _holds(place: Place, before: _Before, char: str) -> bool:
    if place is Place.TEXT_START:
        return before is _Before.NOTHING
    if place is Place.TEXT_END:
        return not char
    if place is Place.LINE_START:
        return before in (_Before.NOTHING, _Before.NEW_LINE)
    if place is Place.LINE_END:
        return char in ("", "\n")
    is_edge = (before is _Before.WORD) != (_before(char) is _Before.WORD)
    return is_edge == (place is Place.WORD_EDGE)


def _before(char: str) -> _Before:
    """Say what a character is for the place behind it."""
    if not char:
        return _Before.NOTHING
    if char == "\n":
        return _Before.NEW_LINE
    return _Before.WORD if char == "_" or (char.isascii() and char.isalnum()) else _Before.OTHER
