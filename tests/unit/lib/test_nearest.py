"""Guessing what a misspelt word was meant to be."""

from __future__ import annotations

import pytest

from bacalhau.lib.nearest import did_you_mean, nearest


@pytest.mark.parametrize(
    ("word", "expected"),
    [("dokcer", "Docker"), ("DOCKER ", "Docker"), ("wsam", "wasm"), ("nonsense", ""), ("", "")],
)
def test_the_nearest_known_word(word: str, expected: str) -> None:
    assert nearest(word, ["Docker", "wasm", "noop"]) == expected


def test_a_guess_is_a_question_and_none_is_nothing() -> None:
    assert did_you_mean("bathc", ["batch", "ops"]) == "did you mean batch?"
    assert did_you_mean("x", ["batch", "ops"]) == ""
    assert did_you_mean("batch", []) == ""
