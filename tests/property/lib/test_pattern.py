"""Filters agree with Python's ``re`` on what both understand, and never take long."""

from __future__ import annotations

import re

from hypothesis import assume, given
from hypothesis import strategies as st

from bacalhau.lib.pattern import PatternError, compile_pattern

ATOMS = st.sampled_from(
    [
        "a",
        "b",
        ".",
        "[ab]",
        "[^a]",
        r"\w",
        r"\W",
        r"\d",
        r"\b",
        r"\B",
        "^",
        "[a-c]",
        r"\n",
        r"\.",
        "é",
    ]
)
QUANTIFIERS = st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "{2,}", "*?", "+?"])


def larger(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(parts, parts).map("".join),
        st.tuples(parts, parts).map(lambda pair: f"({pair[0]}|{pair[1]})"),
        st.tuples(parts, QUANTIFIERS).map(lambda pair: f"(?:{pair[0]}){pair[1]}"),
        parts.map(lambda part: f"(?i:{part})"),
        parts.map(lambda part: f"(?s:{part})"),
        parts.map(lambda part: f"(?m:{part}$)"),
    )


PATTERNS = st.recursive(ATOMS, larger, max_leaves=8)
TEXTS = st.text("abcABC_ \n1.é", min_size=1, max_size=12)


@given(PATTERNS, TEXTS)
def test_agrees_with_re(pattern: str, text: str) -> None:
    expected = re.search(pattern, text, re.ASCII) is not None
    assume("é" not in pattern or "É" not in text)  # with re.ASCII, Python folds ASCII letters only
    assert compile_pattern(pattern).matches(text) is expected


@given(st.text(max_size=30) | st.text("()[]{}*+?|\\^$.-:<>=!,PQEpdws019ai", max_size=30), TEXTS)
def test_every_text_is_a_pattern_or_a_clear_error(pattern: str, text: str) -> None:
    try:
        outcome = str(compile_pattern(pattern).matches(text))
    except PatternError as exc:
        outcome = str(exc)
    assert outcome in ("True", "False") or outcome.startswith("error parsing regexp: ")


@given(PATTERNS, TEXTS)
def test_what_is_found_is_there(pattern: str, text: str) -> None:
    compiled = compile_pattern(pattern)
    found = compiled.find(text)
    assert (found is not None) is compiled.matches(text)
    assert all(each in text for each in found or ())
