"""What the tests of S3 input show, and on which server: their own declarations, as a table.

A test says with ``shows`` which row of the table of cases it is (spec storage.md 5), and on which
servers it runs; ``docs/reference/s3.md`` is made of that.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

_TESTS = Path(__file__).parent.parent / "integration" / "s3"
_ROW = re.compile(r"([A-Z])(\d\d)(.*)")

ROWS = {
    "A": ("Which objects a key names", 32),
    "B": ("Filters", 18),
    "C": ("Directories and what looks like them", 14),
    "D": ("Odd keys", 19),
    "E": ("Many and large objects", 7),
    "F": ("Versions", 10),
    "G": ("Checksums", 9),
    "H": ("Regions, endpoints and credentials", 12),
    "I": ("Refusals, faults and changes meanwhile", 22),
    "J": ("Inputs of jobs", 11),
    "K": ("Further parameters", 5),
    "P": ("Partitions", 15),
}
"""The letters of the rows: what each is about, and how many rows it has."""


class Server(StrEnum):
    """Who answers in a test."""

    SWIFT = "OpenStack Swift"
    RGW = "Ceph RGW"
    STAND_IN = "stand-in"
    NONE = "none needed"


BOTH = (Server.SWIFT, Server.RGW)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One row on one server, and the test that shows it."""

    row: str
    what: str
    server: Server
    test: str


def marked(row: str, what: str, server: Server) -> pytest.MarkDecorator:
    """Mark a test, or one set of its parameters, as showing a row on a server."""
    return pytest.mark.s3_case(row, what, server)


def shows(row: str, what: str, *servers: Server) -> pytest.MarkDecorator:
    """Mark a test as showing a row; it runs once on each server, as its fixture ``served``.

    Without real servers it runs once, and has no such fixture.
    """
    if not set(servers) & set(BOTH):
        (server,) = servers
        return marked(row, what, server)
    sets = [
        pytest.param(server, marks=marked(row, what, server), id=server.name.lower())
        for server in servers
    ]
    return pytest.mark.parametrize("served", sets, indirect=True)


def declared() -> list[Shown]:
    """Return what all tests of S3 input declare, in the order of the rows."""
    found = [
        Shown(row=row, what=what, server=server, test=f"{path.name}::{name}")
        for path in sorted(_TESTS.glob("test_*.py"))
        for name, function in vars(importlib.import_module(_module(path))).items()
        if name.startswith("test_")
        for row, what, server in _declarations(getattr(function, "pytestmark", ()))
    ]
    return sorted(found, key=lambda shown: (row_order(shown.row), shown.server.name))


def row_order(row: str) -> tuple[str, int, str]:
    """Return what rows are ordered by."""
    match = _ROW.fullmatch(row)
    assert match, f"{row!r} is no row"
    return match[1], int(match[2]), match[3]


def _module(path: Path) -> str:
    return f"tests.integration.s3.{path.stem}"


def _declarations(marks: Iterable[Any]) -> Iterator[tuple[str, str, Server]]:
    for mark in marks:
        if mark.name == "s3_case":
            yield mark.args
        elif mark.name == "parametrize":
            for parameters in mark.args[1]:
                yield from _declarations(getattr(parameters, "marks", ()))
