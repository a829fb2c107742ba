"""Clock, identifiers, back-off, times, paths and atomic files."""

from __future__ import annotations

import random
import re
import stat
from typing import TYPE_CHECKING

import pytest

from bacalhau.lib.backoff import Backoff
from bacalhau.lib.clock import SystemClock
from bacalhau.lib.files import write_atomically
from bacalhau.lib.ids import RandomIds, SeededIds
from bacalhau.lib.paths import clean_relative, safe_join
from bacalhau.lib.timestamps import ZERO_TIME, parse_rfc3339, rfc3339

if TYPE_CHECKING:
    from pathlib import Path

_UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


def test_the_system_clock_tells_this_century_and_does_not_go_back() -> None:
    clock = SystemClock()
    first = clock.monotonic()
    assert rfc3339(clock.now_ns()).startswith("20")
    assert clock.monotonic() >= first


def test_random_ids_are_uuids_and_differ() -> None:
    ids = RandomIds()
    first, second = ids.uuid(), ids.uuid()
    assert first != second
    assert _UUID4.fullmatch(first)


def test_seeded_ids_repeat_with_the_seed() -> None:
    first, again, other = (SeededIds(random.Random(seed)) for seed in (1, 1, 2))
    made = [first.uuid() for _ in range(3)]
    assert made == [again.uuid() for _ in range(3)]
    assert made[0] != other.uuid()
    assert _UUID4.fullmatch(made[0])


def test_delays_double_up_to_the_maximum() -> None:
    backoff = Backoff(1.0, 10.0)
    longest = [backoff.delay(attempt, 1.0) for attempt in (0, 1, 2, 3, 4, 10**9)]
    assert longest == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]


def test_delays_are_spread_over_the_upper_half() -> None:
    backoff = Backoff(4.0, 60.0)
    assert backoff.delay(0, 0.0) == 2.0
    assert backoff.delay(0, 0.5) == 3.0


def test_a_factor_of_one_keeps_the_delay() -> None:
    assert Backoff(2.0, 60.0, factor=1.0).delay(10**9, 1.0) == 2.0


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_732_104_000_123_456_789, "2024-11-20T12:00:00.123456789Z"),
        (1_732_104_000_200_000_000, "2024-11-20T12:00:00.2Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (-62_135_596_800_000_000_000, ZERO_TIME),
    ],
)
def test_times_are_utc_with_the_digits_that_are_needed(time_ns: int, text: str) -> None:
    assert rfc3339(time_ns) == text
    assert parse_rfc3339(text) == time_ns


def test_offsets_and_extra_digits_are_understood() -> None:
    assert parse_rfc3339("2024-11-20T13:00:00.1234567891+01:00") == 1_732_104_000_123_456_789
    assert parse_rfc3339("2024-11-20t06:30:00z") == parse_rfc3339("2024-11-20T00:00:00-06:30")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2024-11-20",
        "2024-11-20T12:00:00",
        "2024-11-20 12:00:00Z",
        "2024-13-20T12:00:00Z",
        "2024-11-20T12:00:00+25:00",
        "2024-11-20T12:00:00Zjunk",
    ],
)
def test_other_forms_of_time_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_rfc3339(text)


def test_a_time_beyond_the_year_9999_is_refused() -> None:
    with pytest.raises(ValueError, match="years 1 to 9999"):
        rfc3339(10**21)


@pytest.mark.parametrize(
    ("relative", "clean"),
    [
        ("a/b.txt", "a/b.txt"),
        ("a//b", "a/b"),
        ("./a/./b/", "a/b"),
        ("a/../b", "b"),
        ("", ""),
        (".", ""),
        ("a/..", ""),
        ("..a/b..", "..a/b.."),
    ],
)
def test_inner_paths_are_cleaned(relative: str, clean: str, tmp_path: Path) -> None:
    assert clean_relative(relative) == clean
    assert safe_join(tmp_path, relative) == tmp_path / clean


@pytest.mark.parametrize(
    "relative",
    ["..", "../a", "a/../../b", "/etc/passwd", "//a", "a\0b", "x" * 256, "a/" + "é" * 128],
)
def test_paths_that_leave_the_directory_are_refused(relative: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError):
        safe_join(tmp_path, relative)


def test_a_file_is_replaced_as_a_whole_with_the_mode_given(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_atomically(path, b"old", 0o600)
    write_atomically(path, b"new", 0o640)
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").mkdir()
    with pytest.raises(OSError):
        write_atomically(tmp_path / "file", b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
