"""Filling in job files before they are read (spec cli.md 12)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bacalhau.cli.flag import Flag
from bacalhau.cli.submission import invalid
from bacalhau.cli.values import BOOL, STRING, STRING_MAP
from bacalhau.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bacalhau.lib.gotemplate import TemplateError

TEMPLATE_FLAGS = (
    Flag("no-template", BOOL, False, "Take the file as it is, braces and all."),
    Flag("template-vars", STRING_MAP, {}, "Variables for {{.NAME}}; may be repeated.", short="V"),
    Flag(
        "template-envs",
        STRING,
        "",
        "Take environment variables whose names match this pattern; * means all.",
        short="E",
    ),
)
_NO_FUNCTION = re.compile(r'function "([^"]*)" not defined')


def expand(
    text: str,
    name: str,
    *,
    template_vars: Mapping[str, str],
    template_envs: str,
    environment: Mapping[str, str],
) -> str:
    """Fill in a job file. ``name`` is that of the file, for hints.

    Raises:
        UserError: the pattern is malformed, or the file cannot be filled in; the hint says where.
    """
    variables = {**_from_environment(template_envs, environment), **template_vars}
    if "{{" not in text:
        return text
    from bacalhau.lib.gotemplate import TemplateError, render

    try:
        return render(text, variables)
    except TemplateError as exc:
        step = "parse" if exc.is_syntax else "execute"
        hint = f"{name}, line {exc.line}, column {exc.column}: {_advice(exc, variables)}"
        error = UserError(f"failed to {step} template: {exc}", hint=hint)
        raise invalid(error) from exc


def _from_environment(pattern: str, environment: Mapping[str, str]) -> dict[str, str]:
    if not pattern:
        return {}
    from bacalhau.lib.pattern import PatternError, compile_pattern

    try:
        compiled = compile_pattern(".*" if pattern == "*" else pattern)
    except PatternError as exc:
        raise UserError(
            f'failed to create template parser: "{pattern}" is not a regular expression: {exc}',
            hint="-E takes a regular expression for names, such as '^JOB_', or * for all",
            component="CLI",
        ) from exc
    return {name: value for name, value in environment.items() if compiled.matches(name)}


def _advice(error: TemplateError, variables: Mapping[str, str]) -> str:
    if error.missing:
        return _advice_for_missing(error.missing, variables)
    function = _NO_FUNCTION.fullmatch(error.reason)
    if function:
        return _advice_for_function(function[1])
    if error.reason.startswith("bad character U+002D"):
        return 'write names with hyphens as {{index . "NAME"}}'
    return "if the braces are meant for the job itself, add --no-template"


def _advice_for_missing(missing: str, variables: Mapping[str, str]) -> str:
    from difflib import get_close_matches

    remedy = f'give it with -V {missing}=VALUE, or write {{{{index . "{missing}"}}}} if it may lack'
    near = get_close_matches(missing, variables, n=1) or [
        name for name in variables if name.lower() == missing.lower()
    ]
    return f"did you mean .{near[0]}? Otherwise {remedy}" if near else remedy


def _advice_for_function(function: str) -> str:
    from difflib import get_close_matches

    from bacalhau.lib.gotemplate.functions import FUNCTIONS

    near = get_close_matches(function, FUNCTIONS, n=1, cutoff=0.7)
    if near:
        return f"did you mean {near[0]}?"
    known = ", ".join(sorted(FUNCTIONS))
    return f"the functions are {known}; variables begin with a dot, environment comes with -E"
