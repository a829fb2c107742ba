"""Patterns for absolute paths in the syntax of doublestar (spec storage.md 6.1).

``*`` and ``?`` stay within one segment, ``**`` as a whole segment stands for any number of them,
also none; ``[a-z]`` and ``[^a-z]`` are classes, ``{one,two}`` are alternatives, and a backslash
takes the meaning of the next character away. A pattern matches the whole path or nothing.

Matching takes time in proportion to pattern times path, whatever either looks like.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_MAX_ALTERNATIVES = 1_000
_DEEP = "**"


class _Step(Protocol):
    def accepts(self, item: str) -> bool: ...


_Steps: TypeAlias = "Sequence[_Step | None]"
"""What must come one after the other; None stands for any number of anything."""


class _Character(NamedTuple):
    """One character: inside one of the ranges, or outside all of them."""

    ranges: tuple[tuple[str, str], ...]
    is_negated: bool = False

    def accepts(self, item: str) -> bool:
        return any(low <= item <= high for low, high in self.ranges) is not self.is_negated


class _Segment(NamedTuple):
    """The name of one file or directory."""

    steps: _Steps

    def accepts(self, item: str) -> bool:
        return _matches(self.steps, item)


class PathGlob:
    """One pattern. ``text`` is how it was written."""

    def __init__(self, text: str) -> None:
        """Read a pattern.

        Raises:
            ValueError: what is wrong with it.
        """
        self.text = text
        self._alternatives = [_path_steps(each) for each in _expanded(text)]

    def matches(self, path: str) -> bool:
        """Tell whether an absolute path, without ``.`` and ``..`` segments, fits."""
        assert path.startswith("/"), path
        names = [name for name in path.split("/") if name]
        return any(_matches(steps, names) for steps in self._alternatives)


def _matches(steps: _Steps, items: Iterable[str]) -> bool:
    """Follow all ways through the steps at once."""
    places = _open_places(steps, {0})
    for item in items:
        following = set()
        for place in places:
            step = steps[place] if place < len(steps) else _NOTHING
            if step is None:
                following.add(place)
            elif step.accepts(item):
                following.add(place + 1)
        places = _open_places(steps, following)
    return len(steps) in places


def _open_places(steps: _Steps, places: set[int]) -> set[int]:
    """Add the places behind steps that may stand for nothing."""
    found = set(places)
    for place in places:
        behind = place
        while behind < len(steps) and steps[behind] is None:
            behind += 1
            found.add(behind)
    return found


_NOTHING = _Character(())


def _path_steps(pattern: str) -> _Steps:
    if not pattern.startswith("/") and pattern != _DEEP and not pattern.startswith(f"{_DEEP}/"):
        raise ValueError("a pattern is an absolute path: it starts with /")
    segments = [segment for segment in pattern.split("/") if segment]
    if "." in segments or ".." in segments:
        raise ValueError('"." and ".." never match')
    return [None if each == _DEEP else _Segment(list(_characters(each))) for each in segments]


def _characters(segment: str) -> Iterator[_Step | None]:
    place = 0
    while place < len(segment):
        character = segment[place]
        if character == "[":
            end = _class_end(segment, place)
            yield _class(segment[place + 1 : end])
            place = end
        elif character == "*":
            yield None
        elif character == "?":
            yield _Character((), is_negated=True)
        else:
            if character == "\\":
                place += 1
                character = segment[place : place + 1]
            yield _Character(((character, character),))
        place += 1


def _class(text: str) -> _Character:
    is_negated = text.startswith(("^", "!"))
    letters = list(_unescaped(text[is_negated:]))
    ranges = []
    while letters:
        low, is_plain = letters.pop(0)
        high = low
        if letters and letters[0] == ("-", True):
            letters.pop(0)
            if not letters:
                raise ValueError(f"the range in [{text}] has no end")
            high, _ = letters.pop(0)
        elif low == "-" and is_plain:
            raise ValueError(f"the range in [{text}] has no start")
        if low > high:
            raise ValueError(f"the range in [{text}] is empty")
        ranges.append((low, high))
    if not ranges:
        raise ValueError(f"[{text}] is empty")
    return _Character(tuple(ranges), is_negated)


def _unescaped(text: str) -> Iterator[tuple[str, bool]]:
    """Yield characters, and whether they may have a meaning of their own."""
    place = 0
    while place < len(text):
        is_plain = text[place] != "\\"
        place += not is_plain
        yield text[place], is_plain
        place += 1


def _expanded(pattern: str) -> list[str]:
    """Return the patterns without alternatives that a pattern stands for."""
    done: list[str] = []
    waiting = [pattern]
    while waiting:
        if len(done) + len(waiting) > _MAX_ALTERNATIVES:
            raise ValueError(f"a pattern has at most {_MAX_ALTERNATIVES} alternatives")
        current = waiting.pop()
        marks = list(_marks(current))
        if not marks:
            done.append(current)
            continue
        start, *commas, end = _first_group(marks)
        edges = [start, *commas, end]
        for left, right in pairwise(edges):
            waiting.append(current[:start] + current[left + 1 : right] + current[end + 1 :])
    return done


def _first_group(marks: Sequence[tuple[int, str]]) -> list[int]:
    """Return the places of the first brace, of the commas that divide its group, and of its end."""
    group: list[int] = []
    depth = 0
    for place, mark in marks:
        depth += {"{": 1, "}": -1}.get(mark, 0)
        if depth < 0 or (depth == 0 and mark == ","):
            raise ValueError('"}" has no "{"')
        if depth == 0 or (depth == 1 and mark == ",") or not group:
            group.append(place)
        if depth == 0:
            return group
    raise ValueError('"{" has no "}"')


def _marks(pattern: str) -> Iterator[tuple[int, str]]:
    """Yield braces, and the commas between them, that are neither escaped nor in a class."""
    depth = 0
    place = 0
    while place < len(pattern):
        character = pattern[place]
        if character == "\\":
            place += 1
            if place == len(pattern):
                raise ValueError("the backslash at the end stands before nothing")
        elif character == "[":
            place = _class_end(pattern, place)
        elif character in "{}" or (character == "," and depth > 0):
            depth += {"{": 1, "}": -1}.get(character, 0)
            yield place, character
        place += 1


def _class_end(pattern: str, start: int) -> int:
    place = start + 1
    while place < len(pattern) and pattern[place] != "]":
        place += 2 if pattern[place] == "\\" else 1
    if place >= len(pattern):
        raise ValueError('"[" has no "]"')
    return place
