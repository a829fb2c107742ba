"""The bounds of a search by prefix."""

from __future__ import annotations

import pytest

from bacalhau.store.sqlite._records import prefix_end


@pytest.mark.parametrize(
    ("prefix", "end"),
    [
        ("", None),
        ("a", "b"),
        ("j-1", "j-2"),
        ("j-%", "j-&"),
        ("é", "ê"),
        ("\ud7ff", "\ue000"),
        ("a\U0010ffff", "b"),
        ("\U0010ffff\U0010ffff", None),
    ],
)
def test_the_end_is_the_least_text_above(prefix: str, end: str | None) -> None:
    assert prefix_end(prefix) == end
