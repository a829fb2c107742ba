"""Patterns for paths against a matcher that is slow and plain."""

from __future__ import annotations

from functools import cache

from hypothesis import example, given
from hypothesis import strategies as st

from bacalhau.lib.path_glob import PathGlob

_NAMES = st.text("ab*", min_size=1, max_size=4)
PATHS = st.lists(_NAMES, max_size=4).map(lambda names: "/" + "/".join(names))
_SEGMENTS = st.one_of(st.just("**"), st.text(["a", "b", "*", "?"], min_size=1, max_size=5))
PATTERNS = st.lists(_SEGMENTS, max_size=5).map(lambda segments: "/" + "/".join(segments))


@cache
def names_match(segments: tuple[str, ...], names: tuple[str, ...]) -> bool:
    if not segments:
        return not names
    first, rest = segments[0], segments[1:]
    if first == "**":
        return any(names_match(rest, names[skipped:]) for skipped in range(len(names) + 1))
    return bool(names) and name_matches(first, names[0]) and names_match(rest, names[1:])


@cache
def name_matches(segment: str, name: str) -> bool:
    if not segment:
        return not name
    first, rest = segment[0], segment[1:]
    if first == "*":
        return any(name_matches(rest, name[skipped:]) for skipped in range(len(name) + 1))
    return bool(name) and first in ("?", name[0]) and name_matches(rest, name[1:])


def segments_of(path: str) -> tuple[str, ...]:
    return tuple(segment for segment in path.split("/") if segment)


@given(PATTERNS, PATHS)
@example("/a/**/b", "/a/b")
def test_agrees_with_the_definition(pattern: str, path: str) -> None:
    assert PathGlob(pattern).matches(path) is names_match(segments_of(pattern), segments_of(path))


@given(PATTERNS, PATTERNS, PATHS)
def test_alternatives_are_one_or_the_other(left: str, right: str, path: str) -> None:
    either = PathGlob(left).matches(path) or PathGlob(right).matches(path)
    assert PathGlob(f"{{{left},{right}}}").matches(path) is either


@given(st.text(st.characters(exclude_characters="\0/", exclude_categories=["Cs"]), min_size=1))
def test_an_escaped_name_means_itself(name: str) -> None:
    if name in (".", ".."):
        return
    escaped = "".join(f"\\{character}" for character in name)
    assert PathGlob(f"/{escaped}").matches(f"/{name}")
    assert not PathGlob(f"/{escaped}").matches(f"/{name}x")


@given(st.text(st.sampled_from("/ab*?[]{},\\^-!.")))
def test_every_text_is_a_pattern_or_refused_with_a_reason(text: str) -> None:
    try:
        PathGlob(text).matches("/a/b")
    except ValueError as exc:
        assert str(exc)  # noqa: PT017 - either way is right
