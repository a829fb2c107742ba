"""The grammars of ``-o`` and ``-p`` (spec cli.md 9.3, 9.6)."""

from __future__ import annotations

from typing import Any

import pytest

from bacalhau.cli.flags.outputs import read_output
from bacalhau.cli.flags.publisher import read_publisher


def test_an_output_has_a_name_and_a_path() -> None:
    output = read_output(" results : /out ")
    assert (output.name, output.path) == ("results", "/out")


@pytest.mark.parametrize("text", ["results", "a:b:c", ":/out", "out:", ""])
def test_an_output_needs_exactly_one_colon_and_both_sides(text: str) -> None:
    with pytest.raises(ValueError, match="invalid output volume"):
        read_output(text)


def test_an_output_path_must_be_absolute() -> None:
    with pytest.raises(ValueError, match=r"result path `\\outputs` must be absolute"):
        read_output("outputs:\\outputs")


@pytest.mark.parametrize(
    ("text", "kind", "params"),
    [
        ("local", "local", {}),
        ("ipfs", "ipfs", {}),
        ("IPFS://", "ipfs", {}),
        ("s3://b/k", "s3", {"Bucket": "b", "Key": "k"}),
        ("s3://b/dt={date}/k=v", "s3", {"Bucket": "b", "Key": "dt={date}/k=v"}),
        ("target=s3://b/k", "s3", {"Bucket": "b", "Key": "k"}),
        ("s3,opt=bucket=b,opt=key=k", "s3", {"Bucket": "b", "Key": "k"}),
        (
            "s3://b/k,opt=endpoint=http://s3.example.com,option=region=us-east-1",
            "s3",
            {"Bucket": "b", "Key": "k", "Endpoint": "http://s3.example.com", "Region": "us-east-1"},
        ),
    ],
)
def test_publishers(text: str, kind: str, params: dict[str, Any]) -> None:
    publisher, warnings = read_publisher(text)
    assert (publisher.type, publisher.params) == (kind, params)
    assert warnings == []


def test_an_option_without_effect_is_told() -> None:
    publisher, warnings = read_publisher("s3://b/k,opt=compress=true")
    assert publisher.params == {"Bucket": "b", "Key": "k"}
    assert warnings == ['option "compress" has no effect on publisher s3']


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "EOF"),
        ("carrier-pigeon", "unknown publisher type: carrier-pigeon"),
        ("s3://", "invalid s3 params. bucket cannot be empty"),
        ("s3://b", "invalid s3 params. key cannot be empty"),
        ("s3://b/k,colour=red", "invalid publisher option: colour=red"),
        ("s3://b/k,colour", "invalid publisher option: colour. Must be a key=value pair"),
    ],
)
def test_refused_publishers(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_publisher(text)
    assert reason in str(caught.value)
