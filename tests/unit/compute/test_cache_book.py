"""What the cache of inputs keeps, awaits and gives up."""

from __future__ import annotations

import pytest

from bacalhau.compute.cache.book import CacheBook
from bacalhau.compute.cache.size import size_limit


def book(*entries: tuple[str, int], linked: tuple[str, ...] = ()) -> CacheBook:
    return CacheBook(entries, lambda name: name in linked)


def test_the_first_who_asks_fetches_and_the_second_waits() -> None:
    held = book()
    first = held.claim({"a": 5}, 10)
    second = held.claim({"a": 5}, 10)
    held.admit("a")
    third = held.claim({"a": 5}, 10)
    assert (first.mine, second.awaited, third.found) == (("a",), ("a",), ("a",))


def test_an_abandoned_file_is_fetched_by_the_next() -> None:
    held = book()
    held.claim({"a": 5}, 10)
    held.abandon("a")
    assert held.claim({"a": 5}, 10).mine == ("a",)


def test_the_least_recently_used_goes_first() -> None:
    held = book(("a", 4), ("b", 4))
    for name in held.claim({"a": 4}, 10).found:
        held.release(name)
    assert held.claim({"c": 4}, 10).evicted == ("b",)


def test_no_more_goes_than_has_to() -> None:
    held = book(("a", 2), ("b", 2), ("c", 2))
    assert held.claim({"d": 3}, 7).evicted == ("a",)
    assert held.size_bytes == 7


def test_what_is_used_stays() -> None:
    held = book(("a", 4), ("b", 4))
    held.claim({"a": 4}, 10)
    claim = held.claim({"c": 7}, 10)
    assert (claim.refused, claim.evicted) == (("c",), ())


def test_what_an_execution_shares_stays() -> None:
    held = book(("a", 4), ("b", 4), linked=("a",))
    assert held.claim({"c": 4}, 10).evicted == ("b",)


def test_what_can_never_fit_costs_nothing_of_what_is_there() -> None:
    held = book(("a", 4))
    claim = held.claim({"huge": 11, "b": 4}, 10)
    assert (claim.refused, claim.mine, claim.evicted) == (("huge",), ("b",), ())


def test_part_of_an_input_may_fit() -> None:
    claim = book().claim({"a": 4, "b": 4, "c": 4}, 10)
    assert (claim.mine, claim.refused) == (("a", "b"), ("c",))


def test_a_lower_limit_shrinks_what_is_there() -> None:
    held = book(("a", 4), ("b", 4))
    assert held.shrink(5) == ["a"]
    assert len(held) == 1


def test_forgotten_files_are_fetched_again_even_while_they_are_used() -> None:
    held = book(("a", 4))
    held.claim({"a": 4}, 10)
    held.forget("a")
    assert held.claim({"a": 4}, 10).mine == ("a",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("10%", 20), ("0%", 0), ("0", 0), ("", 0), ("5kb", 5000), ("1gib", 2**30)],
)
def test_size_of_the_cache(text: str, expected: int) -> None:
    assert size_limit(text, free_bytes=150, held_bytes=50) == expected
