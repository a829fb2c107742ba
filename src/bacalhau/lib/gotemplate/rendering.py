"""From a template and its variables to text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.lib.gotemplate.evaluator import Evaluator
from bacalhau.lib.gotemplate.parser import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_WORK = 32_000_000
"""Letters that a template may copy; a step counts as 32 of them. That takes some seconds."""


def render(source: str, variables: Mapping[str, str], *, max_work: int = MAX_WORK) -> str:
    """Carry a template out.

    Raises:
        TemplateError: it cannot be read, asks for a name that does not exist, calls a function
            with what it cannot take, does more than ``max_work`` allows, or writes no UTF-8.
    """
    return Evaluator(parse(source), variables, max_work).run()
