"""Amounts and durations (spec api.md 1.6, corrections.md 18)."""

from __future__ import annotations

import pytest

from bacalhau.lib.units import (
    compact,
    format_bytes,
    format_duration,
    parse_bytes,
    parse_cpu,
    parse_duration,
    parse_gpu,
)


@pytest.mark.parametrize(
    ("text", "cores"),
    [
        ("500m", 0.5),
        ("0.5", 0.5),
        ("2", 2.0),
        ("0.1", 0.1),
        ("100m", 0.1),
        (".25", 0.25),
        ("1.", 1.0),
        ("0.0009", 0.0),
        ("0.1239", 0.123),
        ("1e2", 100.0),
        (" 1 000 M\n", 1.0),
        ("0", 0.0),
    ],
)
def test_cpu_is_cut_to_whole_millicores(text: str, cores: float) -> None:
    assert parse_cpu(text) == cores


@pytest.mark.parametrize(
    "text",
    ["", "lots", "-1", "-500m", "1.5m", "inf", "NaN", "1e30", "1e999", "1_0", "٣", "1k", "9" * 65],
)
def test_cpu_that_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_cpu(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1", 1),
        ("12b", 12),
        ("1kb", 1000),
        ("1k", 1000),
        ("1KiB", 1024),
        ("1Gb", 10**9),
        ("1g", 10**9),
        ("1GiB", 2**30),
        ("1gi", 2**30),
        ("500 Mb", 500 * 10**6),
        ("1.5gb", 1_500_000_000),
        (".5k", 500),
        ("1,000", 1000),
        ("1.0001k", 1000),
        ("2tib", 2 * 2**40),
        ("1pb", 10**15),
        ("1e", 10**18),
        ("7eib", 7 * 2**60),
    ],
)
def test_bytes_have_decimal_and_binary_units(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize(
    "text",
    [
        "",
        "lots",
        "-1",
        "-1gb",
        "1xb",
        "1..5",
        ",",
        ".",
        "gb",
        "1e99",
        "99999999999EB",
        "inf",
        "nan",
    ],
)
def test_bytes_that_are_no_amount_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_bytes(text)


def test_an_unknown_unit_is_named() -> None:
    with pytest.raises(ValueError, match='unknown unit "xb"'):
        parse_bytes("1xb")


@pytest.mark.parametrize(("text", "count"), [("0", 0), ("1", 1), (" 16 ", 16)])
def test_gpus_are_counted(text: str, count: int) -> None:
    assert parse_gpu(text) == count


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "one", "1e1", "9" * 30])
def test_gpus_that_are_no_count_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_gpu(text)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (9, "9 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9_900, "9.9 kB"),
        (9_960, "10 kB"),
        (12_000_000_000, "12 GB"),
        (1_000_000_000, "1.0 GB"),
        (999_999, "1.0 MB"),
        (104_857_600, "105 MB"),
        (2**63, "9.2 EB"),
    ],
)
def test_bytes_are_shown_in_decimal_units(size: int, text: str) -> None:
    assert format_bytes(size) == text


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("10s", 10.0),
        ("1m30s", 90.0),
        ("100ms", 0.1),
        ("1.5h", 5400.0),
        ("1h0m0.5s", 3600.5),
        ("+5s", 5.0),
        ("-5s", -5.0),
        ("3µs", 3e-6),
        ("3μs", 3e-6),
        ("3us", 3e-6),
        ("7ns", 7e-9),
        (".5s", 0.5),
    ],
)
def test_durations_have_gos_syntax(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text", ["", "30", "-", "s", "1x", "1s1", "1 s", "1d", "one", "999999999h"]
)
def test_durations_without_a_unit_and_the_like_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (10, "10s"),
        (90, "1m30s"),
        (3600, "1h0m0s"),
        (3_661.5, "1h1m1.5s"),
        (300, "5m0s"),
        (0.1, "100ms"),
        (0.0015, "1.5ms"),
        (2e-6, "2µs"),
        (7e-9, "7ns"),
        (-90, "-1m30s"),
        (1.25, "1.25s"),
    ],
)
def test_durations_are_shown_as_go_shows_them(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_amounts_are_stored_in_lower_case_without_blanks() -> None:
    assert compact(" 1 \nGb") == "1gb"
