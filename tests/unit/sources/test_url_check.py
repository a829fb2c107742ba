"""URLs are judged at submission."""

from __future__ import annotations

import pytest

from bacalhau.errors import ValidationError
from bacalhau.models import SpecConfig
from bacalhau.sources.url import UrlSource


@pytest.mark.parametrize(
    "url",
    [
        "http://h/a",
        "https://h:8443/a/b?x=1#y",
        "http://h/",
        ' "http://h/a" ',
        "'http://h/a'",
        "HTTP://h/a",
    ],
)
def test_good(url: str) -> None:
    assert UrlSource.check(SpecConfig(type="urlDownload", params={"URL": url})) == []


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "URLs must begin with 'http' or 'https'. The submitted one began with ''"),
        ("ftp://h/a", "URLs must begin with 'http' or 'https'. The submitted one began with 'ftp'"),
        ("h/a", "URLs must begin with 'http' or 'https'"),
        ("file:///etc/passwd", "URLs must begin with 'http' or 'https'"),
        ("http://h", "URL must end with a file name"),
        ("http:///a", "URL must name a host"),
        ("http://h:x/a", "URL is not valid"),
        ("http://[::1/a", "URL is not valid"),
    ],
)
def test_bad(url: str, problem: str) -> None:
    with pytest.raises(ValidationError) as caught:
        UrlSource.check(SpecConfig(type="urlDownload", params={"URL": url}))
    assert f"invalid url storage params: {problem}" in caught.value.message
    assert caught.value.fields == ("Params.URL",)
