"""Tokens of a history have the form of v1.5."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bacalhau.errors import UserError
from bacalhau.orchestrator.paging import HistoryToken

_NUMBERS = st.integers(min_value=0, max_value=2**32 - 1)


def test_a_token_is_written_as_v1_5_writes_it() -> None:
    assert HistoryToken(limit=10, next_seq=4).encode() == "Ok46MTA6NA"


@pytest.mark.parametrize("text", ["Ok46MTA6NA", "Ok46MTA6NA=="])
def test_a_token_is_read_with_and_without_padding(text: str) -> None:
    assert HistoryToken.decode(text) == HistoryToken(limit=10, next_seq=4)


@given(limit=_NUMBERS, next_seq=_NUMBERS, shown_at=_NUMBERS)
def test_reading_undoes_writing(limit: int, next_seq: int, shown_at: int) -> None:
    token = HistoryToken(limit=limit, next_seq=next_seq, shown_at=shown_at)
    assert HistoryToken.decode(token.encode()) == token


@pytest.mark.parametrize(
    "plain", ["", "::", ":N:1", ":N:1:2:3:4", ":N:x:1", ":N:-1:1", ":N:1:4294967296", ":N:1:\u0661"]
)
def test_other_texts_are_refused_with_a_remedy(plain: str) -> None:
    text = base64.urlsafe_b64encode(plain.encode()).decode()
    with pytest.raises(UserError, match="next_token") as caught:
        HistoryToken.decode(text)
    assert caught.value.hint
    assert caught.value.fields == ("next_token",)


@given(st.text())
def test_no_text_is_more_than_refused(text: str) -> None:
    with contextlib.suppress(UserError):
        HistoryToken.decode(text)
