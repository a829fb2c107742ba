"""The table of endpoints, and the document made from it."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import pytest

from bacalhau.api.answers import encode
from bacalhau.api.endpoints import ENDPOINTS, OPEN, Endpoint
from bacalhau.api.handlers import Handlers
from bacalhau.api.openapi import openapi_document

_READS_BY_POST = {
    ("POST", "/api/v1/auth/{name}"),
    ("POST", "/api/v1/version"),
    ("POST", "/api/v1/compute/debug"),
}
_DOCUMENT: dict[str, Any] = json.loads(encode(openapi_document(ENDPOINTS, "v1.5.2")))


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_every_row_has_a_handler_and_a_capability(row: Endpoint) -> None:
    assert inspect.isfunction(getattr(Handlers, row.handler))
    assert row.capability == OPEN or re.fullmatch("(read|write):(job|node|agent)", row.capability)
    is_read = row.method in ("GET", "HEAD") or (row.method, row.path) in _READS_BY_POST
    assert row.capability.startswith("write:") == (not is_read)


def test_every_handler_is_in_the_table() -> None:
    public = {name for name in vars(Handlers) if not name.startswith("_")}
    assert {row.handler for row in ENDPOINTS} == public


def test_no_operation_is_there_twice() -> None:
    operations = [(row.method, row.path) for row in ENDPOINTS]
    assert len(set(operations)) == len(operations)


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: f"{row.method} {row.path}")
def test_every_row_is_documented(row: Endpoint) -> None:
    operation = _DOCUMENT["paths"][row.path][row.method.lower()]
    assert operation["summary"] == row.summary
    named = {item["name"] for item in operation.get("parameters", [])}
    assert named == {item.name for item in row.parameters} | set(re.findall(r"{(\w+)}", row.path))
    assert ("requestBody" in operation) == (row.request is not None)


def test_every_reference_of_the_document_leads_somewhere() -> None:
    wanted = set(re.findall(r"#/components/schemas/([^\"]+)", json.dumps(_DOCUMENT)))
    assert wanted == set(_DOCUMENT["components"]["schemas"])


def test_operation_ids_are_unique() -> None:
    ids = [op["operationId"] for path in _DOCUMENT["paths"].values() for op in path.values()]
    assert len(ids) == len(set(ids)) == len(ENDPOINTS)


def test_the_document_names_fields_as_they_are_sent() -> None:
    execution = _DOCUMENT["components"]["schemas"]["Execution"]["properties"]
    assert {"ID", "NodeID", "ComputeState", "RunOutput"} <= set(execution)
