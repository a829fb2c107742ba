"""Reference pages say what the tables in the code say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scripts.write_reference import PAGES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_the_page_is_up_to_date(page: Path) -> None:
    assert page.read_text() == PAGES[page](), "run: python scripts/write_reference.py"
