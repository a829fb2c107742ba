"""Matching: a tree becomes a finite automaton, run with all its states at once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from bacalhau.lib.pattern.automaton import FINAL, Automaton, Before, kind_of
from bacalhau.lib.pattern.finder import Finder
from bacalhau.lib.pattern.parser import parse

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_SITUATIONS = 1_000


def compile_pattern(text: str) -> Pattern:
    """Compile a regular expression of RE2.

    Raises:
        PatternError: with a text that says what is wrong, and where.
    """
    return Pattern(text)


class _Situation:
    """The states the automaton may be in at a place, and where each next character leads.

    A move to None means that the expression has matched.
    """

    __slots__ = ("before", "moves", "states")

    def __init__(self, states: frozenset[int], before: Before) -> None:
        self.states = states
        self.before = before
        self.moves: dict[str, _Situation | None] = {}


class Pattern:
    """A compiled regular expression."""

    def __init__(self, text: str) -> None:
        self._tree = parse(text)
        self._automaton = Automaton(self._tree, with_groups=False)
        self._first = self._automaton.first
        self._situations: dict[tuple[frozenset[int], Before], _Situation] = {}

    def matches(self, text: str) -> bool:
        """Tell whether the expression matches anywhere in the text."""
        situation = self._situation(frozenset((self._first,)), Before.NOTHING)
        for char in text:
            if char in situation.moves:
                following = situation.moves[char]
            else:
                following = self._move(situation, char)
            if following is None:
                return True
            situation = following
        return self._move(situation, "") is None

    def find(self, text: str) -> tuple[str, ...] | None:
        """Return the first match, as Perl and Go choose it, and then the text of each group.

        The text of a group that took no part is empty. None: there is no match.
        """
        return self._finder.find(text)

    @cached_property
    def _finder(self) -> Finder:
        return Finder(self._tree)

    def _move(self, situation: _Situation, char: str) -> _Situation | None:
        """Work out, and remember, where a character leads; ``""`` is the end of the text."""
        reached = self._reachable(situation.states, situation.before, char)
        if FINAL in reached:
            following = None
        else:
            # A match may begin at every character, so the first state is always among them.
            states = frozenset((self._first, *self._automaton.step(reached, char)))
            following = self._situation(states, kind_of(char))
        situation.moves[char] = following
        return following

    def _reachable(self, states: Iterable[int], before: Before, char: str) -> set[int]:
        """Return the states that are reached without taking a character, at one place."""
        reached: set[int] = set()
        waiting = list(states)
        while waiting:
            state = waiting.pop()
            if state not in reached:
                reached.add(state)
                waiting.extend(self._automaton.passed(state, before, char))
        return reached

    def _situation(self, states: frozenset[int], before: Before) -> _Situation:
        key = states, before
        if key not in self._situations:
            if len(self._situations) >= _MAX_SITUATIONS:
                self._situations.clear()
            self._situations[key] = _Situation(states, before)
        return self._situations[key]
