"""YAML that we write is read back as it was, by our reader and by PyYAML's."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bacalhau.cli.yaml_text import dump_yaml, written_by_pyyaml
from bacalhau.lib.yaml_document import load_yaml

LEAVES = (
    st.text()
    | st.sampled_from(["y", "no", "=", "<<", "012", "0o17", "1e3", "12:30:45", "2024-01-01", "~"])
    | st.integers(-(2**63), 2**63 - 1)
    | st.booleans()
    | st.none()
)
KEYS = st.text() | st.from_regex(r"[a-zA-Z./ -]{1,8}", fullmatch=True) | st.just("k" * 130)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
)


@given(DOCUMENTS)
def test_both_readers_agree(document: Any) -> None:
    text = dump_yaml(document)
    assert load_yaml(text) == document
    assert yaml.safe_load(text) == document


TRICKY = LEAVES | st.text("ab \n\t-:#'\"|>", max_size=8) | st.floats(allow_nan=False)
TRICKY_DOCUMENTS = st.recursive(
    TRICKY,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=10,
)


@given(TRICKY_DOCUMENTS, st.sampled_from([2, 4]))
def test_the_bytes_are_those_of_pyyaml(document: Any, indent: int) -> None:
    assert dump_yaml(document, indent=indent) == written_by_pyyaml(document, indent)


def test_pyyaml_is_left_alone_with_what_needs_no_thought(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes a millisecond for each job of a list."""
    job = {f"Key{n}": {"Name": f"name-{n}", "Values": [n, f"v {n}", True, None]} for n in range(20)}
    expected = written_by_pyyaml([job] * 20, 2)
    monkeypatch.setattr(yaml, "dump", None)
    assert dump_yaml([job] * 20) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": [{"x": 1}]}, "a:\n- x: 1\nb: 1\n"),
        ({"Operator": "="}, 'Operator: "="\n'),
        ({"Time": "2024-01-01T00:00:00Z"}, 'Time: "2024-01-01T00:00:00Z"\n'),
        ({"Stdout": "a\nb\n"}, "Stdout: |\n  a\n  b\n"),
        ({"Memory": "1gb", "CPU": "500m"}, "CPU: 500m\nMemory: 1gb\n"),
    ],
)
def test_form(value: Any, text: str) -> None:
    assert dump_yaml(value) == text


def test_long_lines_are_not_folded() -> None:
    assert dump_yaml({"a": "word " * 50 + "end"}).count("\n") == 1
