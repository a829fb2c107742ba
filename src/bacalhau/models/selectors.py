"""Label selectors in the grammar of Kubernetes (spec api.md 1.9 and 3.6, cli.md 9.4)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bacalhau.errors import UserError
from bacalhau.lib.nearest import did_you_mean
from bacalhau.models.job import LabelSelectorRequirement
from bacalhau.models.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OPERATORS = ("in", "notin", "=", "==", "!=", "exists", "!", "gt", "lt")
LABEL_RULE = (
    "names have up to 63 letters, digits, dashes, dots and underscores, and begin and end with "
    "a letter or a digit; a key may have a domain and a slash before its name, a value may be empty"
)

_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_DNS_LABEL = r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?"
_KEY = re.compile(rf"(?:(?P<prefix>{_DNS_LABEL}(?:\.{_DNS_LABEL})*)/)?{_NAME}")
_VALUE = re.compile(rf"(?:{_NAME})?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_INT64 = range(-(2**63), 2**63)
_MAX_PREFIX = 253

_SYMBOL = re.compile(r"[ \t\r\n]*(==|!=|[=!<>(),]|[^ \t\r\n=!<>(),]+|$)")
_COMPARISONS = {"=": "=", "==": "==", "!=": "!=", ">": "gt", "<": "lt"}
_MARKS = frozenset([*_COMPARISONS, "!", "(", ")", ",", ""])


def parse_selector(text: str) -> list[LabelSelectorRequirement]:
    """Read a selector such as ``env in (a, b), gpu, !old``; an empty one gives no requirement.

    Requirements are sorted by key, values are sorted and unique.

    Raises:
        UserError: bad syntax, with the position; or a key or value that cannot be a label.
    """
    return _Parser(text).parse()


def format_requirement(requirement: LabelSelectorRequirement) -> str:
    """Write a requirement so that ``parse_selector`` reads it back."""
    key, values = requirement.key, requirement.values
    match requirement.operator:
        case "exists":
            return key
        case "!":
            return f"!{key}"
        case "in" | "notin":
            return f"{key} {requirement.operator} ({','.join(sorted(values))})"
        case "gt" | "lt":
            return f"{key}{'>' if requirement.operator == 'gt' else '<'}{values[0]}"
        case operator:
            return f"{key}{operator}{values[0]}"


def matches(requirements: Iterable[LabelSelectorRequirement], labels: Mapping[str, str]) -> bool:
    """Tell whether labels fulfil every requirement. Requirements must be valid."""
    return all(_fulfils(requirement, labels) for requirement in requirements)


def validate_requirement(requirement: LabelSelectorRequirement) -> list[str]:
    """Return what is wrong with a requirement; nothing when it can be evaluated."""
    return [problem.message for problem in requirement_problems(requirement)]


def requirement_problems(requirement: LabelSelectorRequirement) -> list[Problem]:
    """Return what is wrong with a requirement; paths are ``Key``, ``Operator`` and ``Values``."""
    problems = _key_problems(requirement.key)
    operator, values = requirement.operator, requirement.values
    if operator not in OPERATORS:
        return [*problems, _unknown_operator(operator)]
    wrong = _number_of_values(operator, len(values))
    if wrong:
        problems.append(Problem("Values", f'operator "{operator}" {wrong}'))
    for value in values:
        if operator in ("gt", "lt"):
            if _integer(value) is None:
                text = f'operator "{operator}" needs a whole number, got "{value}"'
                problems.append(Problem("Values", text, "labels are compared as whole numbers"))
        elif not can_be_value(value):
            text = f'"{value}" cannot be the value of a label'
            problems.append(Problem("Values", text, LABEL_RULE))
    return problems


def can_be_key(text: str) -> bool:
    """Tell whether a label can have this key."""
    match = _KEY.fullmatch(text)
    return match is not None and len(match["prefix"] or "") <= _MAX_PREFIX


def can_be_value(text: str) -> bool:
    """Tell whether a label can have this value."""
    return _VALUE.fullmatch(text) is not None


def _key_problems(key: str) -> list[Problem]:
    if not key.strip():
        return [Problem("Key", "the key is blank", "Key names the label to look at")]
    if not can_be_key(key):
        return [Problem("Key", f'"{key}" cannot be the key of a label', LABEL_RULE)]
    return []


def _unknown_operator(operator: str) -> Problem:
    known = " ".join(OPERATORS)
    remedy = "write Operator: = to compare with one value, or Operator: in with several"
    if not operator:
        return Problem("Operator", f"the operator is missing, expected one of {known}", remedy)
    text = f'unknown operator "{operator}", expected one of {known}'
    return Problem("Operator", text, did_you_mean(operator, OPERATORS) or remedy)


def _number_of_values(operator: str, count: int) -> str:
    """Return what is wrong with the number of an operator's values, or an empty text."""
    if operator in ("in", "notin"):
        return "" if count else "needs at least one value"
    if operator in ("exists", "!"):
        return "takes no values" if count else ""
    return "" if count == 1 else "needs exactly one value"


def _fulfils(requirement: LabelSelectorRequirement, labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement.key)
    match requirement.operator:
        case "in" | "=" | "==":
            return value is not None and value in requirement.values
        case "notin" | "!=":
            return value is None or value not in requirement.values
        case "exists":
            return value is not None
        case "!":
            return value is None
    actual = None if value is None else _integer(value)
    wanted = _integer(requirement.values[0]) if requirement.values else None
    if actual is None or wanted is None:
        return False
    return actual > wanted if requirement.operator == "gt" else actual < wanted


def _integer(text: str) -> int | None:
    if not _INTEGER.fullmatch(text):
        return None
    value = int(text)
    return value if value in _INT64 else None


class _Parser:
    """Reads tokens from left to right; ``_position`` is where the current one starts."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._end = 0
        self._position = 0
        self._symbol = ""
        self._next()

    def parse(self) -> list[LabelSelectorRequirement]:
        requirements: list[LabelSelectorRequirement] = []
        while self._symbol:
            requirements.append(self._requirement())
            if self._symbol == ",":
                self._next()
                if not self._symbol:
                    raise self._error("expected a key after the comma")
            elif self._symbol:
                raise self._error(f'expected a comma, found "{self._symbol}"')
        return sorted(requirements, key=lambda requirement: requirement.key)

    def _requirement(self) -> LabelSelectorRequirement:
        start = self._position
        is_negated = self._symbol == "!"
        if is_negated:
            self._next()
        key = self._word("a key")
        operator, values = ("!", []) if is_negated else self._condition()
        requirement = LabelSelectorRequirement(key=key, operator=operator, values=values)
        problems = validate_requirement(requirement)
        if problems:
            raise self._error("; ".join(problems), start)
        return requirement

    def _condition(self) -> tuple[str, list[str]]:
        operator = self._symbol
        if operator in ("", ","):
            return "exists", []
        self._next()
        if operator in ("in", "notin"):
            return operator, self._set()
        if operator not in _COMPARISONS:
            raise self._error(
                f'"{operator}" is not an operator, expected = == != in notin > <', self._previous
            )
        value = "" if self._symbol in ("", ",") else self._word("a value")
        return _COMPARISONS[operator], [value]

    def _set(self) -> list[str]:
        if self._symbol != "(":
            raise self._error("expected ( and a list of values")
        values = set()
        while True:
            self._next()
            values.add(self._word("a value") if self._symbol not in (",", ")") else "")
            if self._symbol == ")":
                self._next()
                return sorted(values)
            if self._symbol != ",":
                raise self._error("expected a comma or )")

    def _word(self, what: str) -> str:
        word = self._symbol
        if word in _MARKS:
            raise self._error(f"expected {what}" + (f', found "{word}"' if word else ""))
        self._next()
        return word

    def _next(self) -> None:
        match = _SYMBOL.match(self._text, self._end)
        assert match is not None
        self._previous = self._position
        self._position = match.start(1)
        self._end = match.end()
        self._symbol = match[1]

    def _error(self, reason: str, position: int | None = None) -> UserError:
        place = (self._position if position is None else position) + 1
        return UserError(
            f'invalid selector "{self._text}": {reason} (at character {place})',
            hint="requirements look like: key, !key, key=value, key!=value, key in (a,b), key>1",
        )
