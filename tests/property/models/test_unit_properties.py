"""Units, times and paths: forth and back."""

from __future__ import annotations

from contextlib import suppress
from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bacalhau.lib.backoff import Backoff
from bacalhau.lib.paths import clean_relative
from bacalhau.lib.timestamps import parse_rfc3339, rfc3339
from bacalhau.lib.units import (
    format_bytes,
    format_duration,
    parse_bytes,
    parse_cpu,
    parse_duration,
    parse_gpu,
)

_DAYS = 86_400


@given(st.integers(-(10**12), 10**12))
def test_durations_of_whole_microseconds_come_back(microseconds: int) -> None:
    seconds = microseconds / 1e6
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, abs=1e-9)


@given(st.integers(0, 10**7))
def test_millicores_come_back(millicores: int) -> None:
    assert parse_cpu(f"{millicores}m") == millicores / 1000
    assert parse_cpu(str(millicores / 1000)) == millicores / 1000


@given(st.integers(0, 2**63 - 1))
def test_bytes_come_back_and_are_shown_to_within_a_tenth(size: int) -> None:
    assert parse_bytes(str(size)) == size
    shown = parse_bytes(format_bytes(size))
    assert shown == pytest.approx(size, rel=0.06)
    assert len(format_bytes(size)) <= len("999 MB")


@given(st.text(max_size=70))
def test_amounts_are_numbers_of_zero_or_more_or_a_value_error(text: str) -> None:
    for parse in (parse_cpu, parse_bytes, parse_gpu):
        with suppress(ValueError):
            assert 0 <= parse(text) < 2**63


@given(st.text("0123456789.+-nsuµmh ", max_size=12))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert abs(parse_duration(text)) < 2**63 / 1e9


@given(st.integers(-62_135_596_800 * 10**9, 253_402_300_799 * 10**9))
def test_times_come_back(time_ns: int) -> None:
    text = rfc3339(time_ns)
    assert parse_rfc3339(text) == time_ns
    assert text.endswith("Z")
    assert len(text) == 20 or text[-2] != "0"


@given(st.text("ab./", max_size=30))
def test_a_clean_path_stays_inside_and_is_clean(relative: str) -> None:
    try:
        clean = clean_relative(relative)
    except ValueError:
        return
    parts = PurePosixPath(clean).parts
    assert ".." not in parts
    assert not clean.startswith("/")
    assert clean_relative(clean) == clean


@given(st.integers(0, 200), st.floats(0, 0.999), st.floats(0.01, 10), st.floats(10, 1000))
def test_delays_stay_between_half_the_first_and_the_maximum(
    attempt: int, draw: float, initial: float, maximum: float
) -> None:
    backoff = Backoff(initial, maximum)
    assert initial / 2 <= backoff.delay(attempt, draw) <= maximum
    assert backoff.delay(attempt, draw) <= backoff.delay(attempt + 1, draw) + 1e-9
