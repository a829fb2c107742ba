"""Words for addresses in settings."""

from __future__ import annotations

import ipaddress

import pytest

from bacalhau.lib.addresses import is_loopback, resolve_address, with_port


@pytest.mark.parametrize("word", ["loopback", "localhost", "local", " Local "])
def test_words_for_loopback(word: str) -> None:
    assert resolve_address(word) == "127.0.0.1"


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("127.0.0.1", "127.0.0.1:1234"),
        ("node-1.example.com", "node-1.example.com:1234"),
        ("::1", "[::1]:1234"),
    ],
)
def test_an_address_of_ipv6_is_told_from_its_port(host: str, place: str) -> None:
    assert place == with_port(host, 1234)


@pytest.mark.parametrize("text", ["127.0.0.1", "10.1.2.3", "node-1.example.com", "::1"])
def test_addresses_and_names_stay(text: str) -> None:
    assert resolve_address(text) == text


@pytest.mark.parametrize("word", ["any", "private", "public"])
def test_words_for_an_address_of_this_machine(word: str) -> None:
    """Which of them fit depends on the machine; the answer is an address or a reason."""
    try:
        outcome = resolve_address(word)
    except ValueError as exc:
        outcome = str(exc)
    if "this machine" not in outcome:
        address = ipaddress.ip_address(outcome)
        assert word == "any" or address.is_private is (word == "private")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("h", False)],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
