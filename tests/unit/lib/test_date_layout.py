"""Dates are read as Go reads them with the same layout, recorded; and with those of strftime."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bacalhau.lib.date_layout import LayoutError, read_layout

_FILE = Path(__file__).parents[2] / "data" / "go-date-layouts.json"
_RECORDED = json.loads(_FILE.read_text(encoding="utf-8"))


def date_of(layout: str, text: str) -> str | None:
    found = read_layout(layout).date_of(text)
    return None if found is None else found.decode()


def test_there_are_vectors() -> None:
    assert len(_RECORDED) >= 240


@pytest.mark.parametrize(("layout", "text", "expected"), _RECORDED)
def test_dates_are_those_of_go(layout: str, text: str, expected: str | None) -> None:
    """As many bytes as the layout has itself are read, and written again by the layout."""
    assert date_of(layout, text) == expected


@pytest.mark.parametrize(
    ("layout", "text", "expected"),
    [
        ("2006-01-02", "2024-01-15.log", "2024-01-15"),
        ("2006-01-02", "2024-13-15.log", None),
        ("2006-01-02", "2024-02-30.log", None),
        ("2006-01-02", "2024-01-1", None),
        ("2006-1-2", "2024-01-15", None),  # eight bytes of it are no date
        ("2006-1-2", "2024-1-5", "2024-1-5"),
        ("Jan 2 2006", "jan 5 2024", "Jan 5 2024"),
        ("YYYY-MM-DD", "2024-01-15", None),
        ("2006-002", "2024-366", "2024-366"),
        ("2006-002", "2023-366", None),
        ("3PM", "12A", None),
        ("03PM", "12AM", "12AM"),
        ("15:04:05.000", "01:02:03,250", "01:02:03.250"),
        ("2006-01-02T15:04:05Z07:00", "2024-01-15T10:00:00+00:00", "2024-01-15T10:00:00Z"),
        ("MST", "CET", "CET"),
        ("MST", "+1 ", None),
        ("1504 MST", "2359 GMT", "2359 GMT"),
        ("2006  01", "2024x01 ", None),
        ("15:04:05Z07", "1:02:03.25Z", "01:02:03Z"),
        ("15:04:05.000", "01:02:03.-50", None),
        ("15", "24", None),
        ("Jan", "Foo", None),
        ("15:04:05", "01:02:60", None),
        ("15:04:05 .000", "01:02:03 .-50", None),
        ("2006 -07", "2024 +25", None),
        ("2006 -0700", "2024 -0330", "2024 -0330"),
        ("01-02 002", "03-01 061", "03-01 061"),
        ("01-02 002", "03-02 061", None),
        ("é2006", "é2024x", "é2024"),
    ],
)
def test_layouts_of_go(layout: str, text: str, expected: str | None) -> None:
    assert date_of(layout, text) == expected


@pytest.mark.parametrize(
    ("layout", "text", "expected"),
    [
        ("%Y-%m-%d", "2024-01-15.log", "2024-01-15"),
        ("%F", "2024-01-15", "2024-01-15"),
        ("%Y%j", "2024015-x", "2024015"),
        ("%d %B %Y", "15 january 2024/a", "15 January 2024"),
        ("v1_%y%m", "v1_2401", "v1_2401"),
        ("100%%-%Y", "100%-2024", "100%-2024"),
        ("%H:%M", "25:00", None),
        ("%Y", "202", None),
        ("%D %T", "01/15/24 10:20:30", "01/15/24 10:20:30"),
    ],
)
def test_layouts_of_strftime(layout: str, text: str, expected: str | None) -> None:
    """They read as far as the date goes, and literal digits in them are no elements of Go."""
    assert date_of(layout, text) == expected


@pytest.mark.parametrize("layout", ["%Y-%Q", "2006-12", "2006-10-02", "34"])
def test_layouts_that_cannot_read_what_they_write(layout: str) -> None:
    with pytest.raises(LayoutError):
        read_layout(layout)


@pytest.mark.parametrize(
    ("layout", "has_elements", "varies"),
    [
        ("2006-01-02", True, False),
        ("2006-1-2", True, True),
        ("January 2006", True, True),
        ("15:04:05.999", True, True),
        ("YYYY-MM-DD", False, False),
        ("", False, False),
        ("%B %Y", True, False),
    ],
)
def test_what_a_layout_is_like(layout: str, *, has_elements: bool, varies: bool) -> None:
    found = read_layout(layout)
    assert (found.has_elements, found.varies_in_width) == (has_elements, varies)
