"""Check that files and functions stay small: 600 lines a source file, 800 a test, 60 a function.

Exceptions stand in ``scripts/size_exceptions.txt``, one a line: a path, a space, the reason.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

SOURCE_LINES = 600
TEST_LINES = 800
FUNCTION_LINES = 60
ROOTS = ("src", "tests", "scripts", "bench", "examples")


def main() -> int:
    """Print every excess and return 1 when there is one."""
    repository = Path(__file__).resolve().parent.parent
    allowed = _exceptions(repository / "scripts" / "size_exceptions.txt")
    problems = []
    for root in ROOTS:
        for path in sorted((repository / root).rglob("*.py")):
            name = path.relative_to(repository).as_posix()
            if name not in allowed:
                problems.extend(_excesses(name, path.read_text(encoding="utf-8")))
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def _excesses(name: str, text: str) -> list[str]:
    limit = TEST_LINES if name.startswith("tests/") else SOURCE_LINES
    lines = text.count("\n")
    found = [f"{name}: {lines} lines, at most {limit}"] if lines > limit else []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                place = f"{name}:{node.lineno}: {node.name}"
                found.append(f"{place} has {length} lines, at most {FUNCTION_LINES}")
    return found


def _exceptions(path: Path) -> set[str]:
    if not path.exists():
        return set()
    lines = path.read_text(encoding="utf-8").splitlines()
    return {line.split(" ", 1)[0] for line in lines if line and not line.startswith("#")}


if __name__ == "__main__":
    sys.exit(main())
