"""Selectors: what is written is read back, and each operator has its opposite."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bacalhau.errors import UserError
from bacalhau.models import LabelSelectorRequirement
from bacalhau.models.selectors import (
    format_requirement,
    matches,
    parse_selector,
    validate_requirement,
)
from tests.support.job_strategies import labels, requirements, selector_texts

_OPPOSITES = {"exists": "!", "=": "!=", "==": "!=", "in": "notin"}


@given(st.lists(requirements(), max_size=4))
def test_a_selector_is_read_back_as_it_was_written(wanted: list[LabelSelectorRequirement]) -> None:
    text = ",".join(format_requirement(requirement) for requirement in wanted)
    assert parse_selector(text) == sorted(wanted, key=lambda requirement: requirement.key)


@given(selector_texts)
def test_any_text_is_a_valid_selector_or_a_user_error(text: str) -> None:
    with suppress(UserError):
        assert not any(validate_requirement(requirement) for requirement in parse_selector(text))


@given(requirements(), labels)
def test_an_operator_and_its_opposite_never_agree(
    requirement: LabelSelectorRequirement, found: dict[str, str]
) -> None:
    opposite = _OPPOSITES.get(requirement.operator)
    if opposite:
        other = replace(requirement, operator=opposite)
        assert matches([requirement], found) != matches([other], found)


@given(st.lists(requirements(), max_size=3), labels)
def test_requirements_are_joined_by_and(
    wanted: list[LabelSelectorRequirement], found: dict[str, str]
) -> None:
    each = [matches([requirement], found) for requirement in wanted]
    assert matches(wanted, found) == all(each)


@given(requirements())
def test_without_the_label_only_negations_match(requirement: LabelSelectorRequirement) -> None:
    assert matches([requirement], {}) == (requirement.operator in ("!", "!=", "notin"))
