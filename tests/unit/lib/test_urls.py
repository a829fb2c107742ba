"""Addresses in messages."""

from __future__ import annotations

import pytest

from bacalhau.lib.urls import shown


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("https://h:1/a/b", "https://h:1/a/b"),
        ("https://user:pw@h:1/a/b?token=t#f", "https://h:1/a/b"),
        ("https://us@er:pw@h/a@b", "https://h/a@b"),
        ("https://h?X-Amz-Signature=s", "https://h"),
        ("https://h/a#access_token=t", "https://h/a"),
        ("https://h/a#b?c", "https://h/a"),
        ("https://h/a//b://c", "https://h/a//b://c"),
        ("https://[::1]:8/ä", "https://[::1]:8/ä"),
    ],
)
def test_what_may_be_secret_is_not_shown(url: str, text: str) -> None:
    assert shown(url) == text


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("", ""),
        ("report.txt", "report.txt"),
        ("user:pw@h/a?token=t", "h/a"),
        ("//user:pw@h/a?token=t", "//h/a"),
        ("https://user:pw@[::1/a?token=t", "https://[::1/a"),
        ("https://user:pw@h:port/a?token=t", "https://h:port/a"),
        ("https://h/a\nb c\x1b[2J\x9b", "https://h/a%0Ab%20c%1B[2J%C2%9B"),
    ],
)
def test_nor_in_what_is_no_url(url: str, text: str) -> None:
    assert shown(url) == text
