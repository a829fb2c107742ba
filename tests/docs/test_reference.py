"""Reference pages say what the tables in the code say."""

from __future__ import annotations

from scripts.write_reference import PAGE, configuration


def test_the_page_of_configuration_keys_is_up_to_date() -> None:
    assert PAGE.read_text() == configuration(), "run: python scripts/write_reference.py"
