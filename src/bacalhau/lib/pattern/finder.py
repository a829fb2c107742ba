"""Finding what a pattern matches, and the text of its groups, in time linear in the text.

All ways through the automaton are followed at once, in the order in which Perl would try them. What
a character does to them depends on where they stand alone, so it is worked out once and kept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bacalhau.lib.pattern.automaton import FINAL, Automaton, Before, Mark, kind_of
from bacalhau.lib.pattern.tree import Chars, count_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.lib.pattern.tree import Node

_MAX_SITUATIONS = 1_000
_NOWHERE = -1

Places = tuple[int, ...]
"""Where each slot was passed; ``_NOWHERE`` for those that were not."""


class _Step(NamedTuple):
    """Which way goes on from which earlier one, and the slots it passes before the character."""

    origin: int
    slots: tuple[int, ...]

    def places(self, ways: list[Places], position: int) -> Places:
        before = ways[self.origin]
        if not self.slots:
            return before
        after = list(before)
        for slot in self.slots:
            after[slot] = position
        return tuple(after)


class _Move(NamedTuple):
    """What a character does: the ways that go on, and the one that ends in a match."""

    steps: tuple[_Step, ...]
    found: _Step | None
    following: _Situation


class _Situation:
    """Where the ways stand, those to be preferred first, and what each next character does.

    While nothing has been found, the last way begins here.
    """

    __slots__ = ("before", "is_searching", "moves", "states")

    def __init__(self, states: tuple[int, ...], before: Before, *, is_searching: bool) -> None:
        self.states = states
        self.before = before
        self.is_searching = is_searching
        self.moves: dict[str, _Move] = {}


class Finder:
    """Finds the first match; of those that begin at the same place the one to be preferred."""

    def __init__(self, tree: Node) -> None:
        self._automaton = Automaton(tree, with_groups=True)
        self._unset: Places = (_NOWHERE,) * 2 * (1 + count_groups(tree))
        self._situations: dict[tuple[tuple[int, ...], Before, bool], _Situation] = {}

    def find(self, text: str) -> tuple[str, ...] | None:
        """Return the text of the match and of each group; see ``Pattern.find``."""
        found: Places | None = None
        situation = self._situation((), Before.NOTHING, is_searching=True)
        ways = [self._unset]
        for position, char in enumerate((*text, "")):
            move = situation.moves.get(char) or self._move(situation, char)
            if move.found is not None:
                found = move.found.places(ways, position)
            ways = [step.places(ways, position) for step in move.steps]
            situation = move.following
            if situation.is_searching:
                ways.append(self._unset)
            elif not ways:
                break
        if found is None:
            return None
        return tuple(
            "" if end == _NOWHERE else text[start:end]
            for start, end in zip(found[::2], found[1::2], strict=True)
        )

    def _move(self, situation: _Situation, char: str) -> _Move:
        """Work out, and remember, what a character does; ``""`` is the end of the text."""
        conditions, targets = self._automaton.conditions, self._automaton.targets
        going: dict[int, _Step] = {}
        found = None
        for state, step in self._reachable(situation, char):
            if state == FINAL:
                found = step
                break  # what follows would not be preferred
            condition = conditions[state]
            if char and isinstance(condition, Chars) and condition.contains(char):
                going.setdefault(targets[state][0], step)
        following = self._situation(
            tuple(going), kind_of(char), is_searching=situation.is_searching and found is None
        )
        move = situation.moves[char] = _Move(tuple(going.values()), found, following)
        return move

    def _reachable(self, situation: _Situation, char: str) -> Iterator[tuple[int, _Step]]:
        """Yield the states that are reached without taking a character, in order of preference."""
        seen: set[int] = set()
        waiting = [
            (state, _Step(origin, ())) for origin, state in reversed([*enumerate(situation.states)])
        ]
        while waiting:
            state, step = waiting.pop()
            if state in seen:
                continue
            seen.add(state)
            yield state, step
            condition = self._automaton.conditions[state]
            if isinstance(condition, Mark):
                step = _Step(step.origin, (*step.slots, condition.slot))
            ahead = self._automaton.passed(state, situation.before, char)
            waiting.extend((target, step) for target in reversed(ahead))

    def _situation(
        self, states: tuple[int, ...], before: Before, *, is_searching: bool
    ) -> _Situation:
        key = states, before, is_searching
        if key not in self._situations:
            if len(self._situations) >= _MAX_SITUATIONS:
                self._situations.clear()
            # A match may begin at every character; one that began earlier is preferred.
            ways = (*states, self._automaton.first) if is_searching else states
            self._situations[key] = _Situation(ways, before, is_searching=is_searching)
        return self._situations[key]
