"""Digests in all the forms that people and servers write."""

from __future__ import annotations

import base64
import hashlib

import pytest

from bacalhau.lib.digests import format_digest, parse_digest

DIGEST = hashlib.sha256(b"001\n").digest()
BASE64 = "aLgNZhlhklWk0ATVRHbeUfkVes0KnZfNKUoKOGLK090="


@pytest.mark.parametrize(
    "text", [BASE64, DIGEST.hex(), DIGEST.hex().upper(), f"0x{DIGEST.hex()}", f"0X{DIGEST.hex()}"]
)
def test_forms_of_a_digest(text: str) -> None:
    assert parse_digest(text) == DIGEST
    assert format_digest(DIGEST) == BASE64


@pytest.mark.parametrize(
    "text",
    [
        "",
        "e3b0c44b542b",
        BASE64 + "-3",
        base64.b64encode(b"short").decode(),
        "z" * 64,
        f"{DIGEST.hex()[:60]}    ",
        "é",
    ],
)
def test_texts_that_are_no_digest(text: str) -> None:
    assert parse_digest(text) is None
