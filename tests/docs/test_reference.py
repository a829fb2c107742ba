"""Reference pages say what the tables in the code say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.write_reference import PAGES
from tests.support.s3_cases import ROWS, Server, declared

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_page_is_up_to_date(page: Path) -> None:
    assert page.read_text() == PAGES[page](), "run: python scripts/write_reference.py"


def test_every_row_of_the_s3_cases_is_a_test() -> None:
    wanted = {f"{letter}{n:02}" for letter, (_, count) in ROWS.items() for n in range(1, count + 1)}
    shown = {item.row[:3] for item in declared()}
    assert (wanted - shown, shown - wanted) == (set(), set())


def test_every_row_of_the_s3_cases_is_one_test() -> None:
    tests: dict[str, set[str]] = {}
    for item in declared():
        tests.setdefault(item.row, set()).add(item.test)
    assert {row: found for row, found in tests.items() if len(found) > 1} == {}


def test_tests_of_one_s3_row_have_its_name() -> None:
    rows: dict[str, set[str]] = {}
    for item in declared():
        rows.setdefault(item.test, set()).add(item.row.lower())
    of_one_row = {test: found for test, found in rows.items() if len(found) == 1}
    unnamed = {t: r for t, r in of_one_row.items() if f"::test_{min(r)}_" not in t}
    assert unnamed == {}


def test_real_s3_servers_show_what_they_can() -> None:
    """A stand-in is for the few rows that neither real server can show."""
    real = {item.row[:3] for item in declared() if item.server in (Server.SWIFT, Server.RGW)}
    others = {item.row[:3] for item in declared()} - real
    assert others == {
        *("A29", "A30", "A31", "C08", "E04", "E05", "E07", "G01", "G02", "G06", "G09"),
        *("H01", "H02", "H04", "H07", "H10", "I11", "I16", "K02", "K03", "K04", "K05"),
        "P15",
    }
