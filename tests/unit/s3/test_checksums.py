"""Checksums in all the forms that people and servers write."""

from __future__ import annotations

import base64
import hashlib

import pytest

from bacalhau.s3.checksums import ExpectedChecksum, format_digest, parse_digest

DIGEST = hashlib.sha256(b"001\n").digest()
BASE64 = "aLgNZhlhklWk0ATVRHbeUfkVes0KnZfNKUoKOGLK090="


@pytest.mark.parametrize(
    "text", [BASE64, DIGEST.hex(), DIGEST.hex().upper(), f"0x{DIGEST.hex()}", f"0X{DIGEST.hex()}"]
)
def test_forms_of_a_digest(text: str) -> None:
    assert parse_digest(text) == DIGEST
    assert format_digest(DIGEST) == BASE64


@pytest.mark.parametrize(
    "text", ["", "e3b0c44b542b", BASE64 + "-3", base64.b64encode(b"short").decode(), "z" * 64, "é"]
)
def test_texts_that_are_no_digest(text: str) -> None:
    assert parse_digest(text) is None


@pytest.mark.parametrize(
    ("expected", "stored", "agrees"),
    [
        (BASE64, BASE64, True),
        (DIGEST.hex(), BASE64, True),
        (BASE64, format_digest(bytes(32)), False),
        (BASE64, "", None),
        (BASE64, f"{BASE64}-3", None),
        (f"{BASE64}-3", f"{BASE64}-3", True),
        (f"{BASE64}-3", BASE64, False),
        ("e3b0c44b542b", "", False),
    ],
)
def test_comparison_with_what_is_stored(expected: str, stored: str, agrees: bool | None) -> None:
    assert ExpectedChecksum(expected).agrees_with(stored) is agrees
