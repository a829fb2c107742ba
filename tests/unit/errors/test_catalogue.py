"""Every error that the program can raise has a row in the catalogue, and every row an error."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import bacalhau
from bacalhau.errors import BacalhauError, Code

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SOURCE = Path(bacalhau.__file__).parent
CATALOGUE = SOURCE / "error_codes.py"
EVENTS = SOURCE / "lifecycle" / "events.py"
V1_5 = {
    *("BadRequest", "ValidationError", "NotFound", "ResourceInUse", "NotImplemented"),
    *("ServiceUnavailable", "InternalError", "TimeOut", "Unauthorized", "TooManyRequests"),
    *("NetworkFailure", "ConfigurationError", "ResourceExhausted", "UnknownError", "IOError"),
    *("MultipleJobsFound", "MultipleExecutionsFound", "ConflictJobState", "S3BadRequest"),
    *("ImageNotFound", "ImageInvalid", "ContainerNotFound", "SystemError", "Deadline"),
    *("ModuleNotFound", "ModuleCompileError", "ModuleLoadError", "UnknownModuleError"),
    *("EntrypointError", "MemoryLimitError", "FilesystemError"),
}


def modules() -> list[str]:
    found = pkgutil.walk_packages(bacalhau.__path__, "bacalhau.")
    return [module.name for module in found if not module.name.endswith("__main__")]


def error_classes() -> set[type[BacalhauError]]:
    for module in modules():
        importlib.import_module(module)
    found, new = set[type[BacalhauError]](), [BacalhauError]
    while new:
        kind = new.pop()
        found.add(kind)
        new += kind.__subclasses__()
    return {kind for kind in found if kind.__module__.startswith("bacalhau.")}


CLASSES = {kind.__name__ for kind in error_classes()}


def parsed() -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted(SOURCE.rglob("*.py")):
        if path != CATALOGUE:
            yield path.relative_to(SOURCE), ast.parse(path.read_text())


def codes_used(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "Code":
            yield node.attr


def given_as_text(tree: ast.AST) -> Iterator[str]:
    """Yield codes that an error is given, or has as its default, without a row."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            given = [item.value for item in node.keywords if item.arg == "code"]
            if name not in CLASSES and name != "super":
                continue
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            given = [node.value] if _is_default_code(targets) and node.value else []
        else:
            continue
        yield from (
            part.value
            for value in given
            for part in ast.walk(value)
            if isinstance(part, ast.Constant) and isinstance(part.value, str)
        )


def _is_default_code(targets: Sequence[ast.expr]) -> bool:
    return any(isinstance(target, ast.Name) and target.id == "default_code" for target in targets)


def test_every_class_of_errors_has_a_row_as_its_code() -> None:
    assert len(CLASSES) > 10
    without = {kind.__name__ for kind in error_classes() if not isinstance(kind.default_code, Code)}
    assert without == set()


def test_no_error_is_raised_with_a_code_outside_the_catalogue() -> None:
    found = {str(path): list(given_as_text(tree)) for path, tree in parsed()}
    assert {path: codes for path, codes in found.items() if codes} == {}


def test_the_check_sees_codes_given_as_text() -> None:
    text = 'raise UserError("m", code="Made")\nclass X:\n    default_code = "Up"'
    assert sorted(given_as_text(ast.parse(text))) == ["Made", "Up"]
    assert list(given_as_text(ast.parse('UserError("m", code=Code.NOT_FOUND)'))) == []


def test_the_catalogue_has_no_dead_rows() -> None:
    used = Counter(code for _, tree in parsed() for code in codes_used(tree))
    assert set(used) == {code.name for code in Code}


def test_events_of_failures_are_made_where_a_code_is_asked_for() -> None:
    marks = {str(path): "IsError" in ast.unparse(tree) for path, tree in parsed()}
    assert {path for path, found in marks.items() if found} == {
        "cli/views/events.py",  # reads it
        str(EVENTS.relative_to(SOURCE)),
    }


def test_codes_that_v1_5_clients_know_are_as_they_were() -> None:
    assert set(Code) >= V1_5


@pytest.mark.parametrize("code", Code)
def test_rows_say_in_sentences_what_it_is_and_what_to_do(code: Code) -> None:
    assert re.fullmatch(r"[A-Z][A-Za-z0-9]+", code)
    for text in (code.cause, code.remedy):
        assert text[0].isupper()
        assert text.endswith(".")
        assert "|" not in text, "it stands in a table"
    assert code.cause != code.remedy


def test_a_code_is_its_text_everywhere() -> None:
    text: str = Code.NOT_FOUND
    assert text == f"{text}" == "NotFound"
    assert {"NotFound": 1}[text] == 1
