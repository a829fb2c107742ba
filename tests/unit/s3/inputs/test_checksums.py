"""What a job expects of an object, beside what the server keeps."""

from __future__ import annotations

import hashlib

import pytest

from bacalhau.lib.digests import format_digest
from bacalhau.s3.inputs.checksums import ExpectedChecksum

DIGEST = hashlib.sha256(b"001\n").digest()
BASE64 = "aLgNZhlhklWk0ATVRHbeUfkVes0KnZfNKUoKOGLK090="


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


def test_what_was_found_is_written_as_what_was_expected() -> None:
    found = bytes(range(32))
    assert ExpectedChecksum("0xAB" + "0" * 62).in_its_form(found) == found.hex()
    in_base64 = ExpectedChecksum("aLgNZhlhklWk0ATVRHbeUfkVes0KnZfNKUoKOGLK090=").in_its_form(found)
    assert in_base64 == "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
