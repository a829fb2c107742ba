"""Words for true and false."""

from __future__ import annotations

import pytest

from bacalhau.lib.booleans import is_false, parse_boolean


@pytest.mark.parametrize("word", ["1", "t", "T", "TRUE", "true", "True"])
def test_words_for_true(word: str) -> None:
    assert parse_boolean(word) is True
    assert not is_false(word)


@pytest.mark.parametrize("word", ["0", "f", "F", "FALSE", "false", "False"])
def test_words_for_false(word: str) -> None:
    assert parse_boolean(word) is False
    assert is_false(word)


@pytest.mark.parametrize("word", ["", "yes", "no", "tRUE", " true", "2", "on"])
def test_other_words_are_neither(word: str) -> None:
    assert not is_false(word)
    with pytest.raises(ValueError, match="expected true or false"):
        parse_boolean(word)
