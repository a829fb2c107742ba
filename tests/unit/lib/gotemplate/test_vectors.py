"""Templates and what Go's text/template makes of them, recorded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bacalhau.lib.gotemplate import TemplateError, render

_FILE = Path(__file__).parents[3] / "data" / "gotemplate-vectors.json"
_RECORDED = json.loads(_FILE.read_text(encoding="utf-8"))


def test_there_are_vectors() -> None:
    assert len(_RECORDED["cases"]) > 600


@pytest.mark.parametrize(
    ("template", "expected"),
    [(template, said) for template, kind, said in _RECORDED["cases"] if kind == "output"],
)
def test_the_text_is_that_of_go(template: str, expected: str) -> None:
    assert render(template, _RECORDED["variables"]) == expected


@pytest.mark.parametrize(
    ("template", "kind", "message"),
    [case for case in _RECORDED["cases"] if case[1] != "output"],
)
def test_the_message_is_that_of_go(template: str, kind: str, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(template, _RECORDED["variables"])
    assert str(caught.value) == message
    assert caught.value.is_syntax == (kind == "parse")
