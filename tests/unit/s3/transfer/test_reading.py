"""What servers tell about an object that is read."""

from __future__ import annotations

import pytest

from bacalhau.s3.transfer.reading import moment


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("Thu, 01 Jan 1970 00:01:40 GMT", 100.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777.0),
        ("Sun, 6 Nov 1994 08:49:37 +0100", 784108177.0),
        ("Sun, 06 Xyz 1994 08:49:37 GMT", None),
        ("Sun, 36 Nov 1994 08:49:37 GMT", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates_of_servers(text: str, seconds: float | None) -> None:
    assert moment(text) == seconds
