"""The OpenAPI document, made from the table of endpoints."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from bacalhau.api.parameters import Kind
from bacalhau.models.api import ErrorBody

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.api.endpoints import Endpoint
    from bacalhau.api.parameters import Parameter

_NAME_IN_PATH = re.compile(r"\{(\w+)\}")
_PATH_TEXTS = {
    "id": "The id, or the beginning of it that no other has.",
    "name": "The name, in full.",
}
_SCHEMAS: dict[Kind, dict[str, Any]] = {
    Kind.TEXT: {"type": "string"},
    Kind.LIST: {"type": "array", "items": {"type": "string"}},
    Kind.FLAG: {"type": "boolean"},
    Kind.COUNT: {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
    Kind.SECONDS: {"type": "integer", "minimum": 0},
    Kind.EMPTY: {"type": "string", "maxLength": 0},
}


def openapi_document(endpoints: Sequence[Endpoint], version: str) -> dict[str, Any]:
    """Return the document, version 3.1. ``version`` is that of the program."""
    types: dict[type[Any], None] = {ErrorBody: None}
    for row in endpoints:
        types |= {kind: None for kind in (row.request, row.response) if kind is not None}
    schemas, components = msgspec.json.schema_components(
        types, ref_template="#/components/schemas/{name}"
    )
    by_type = dict(zip(types, schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for row in endpoints:
        paths.setdefault(row.path, {})[row.method.lower()] = _operation(row, by_type)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Bacalhau API", "version": version.removeprefix("v")},
        "paths": paths,
        "components": {"schemas": components},
    }


def _operation(row: Endpoint, by_type: dict[type[Any], dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": "_".join(re.findall(r"\w+", f"{row.method.lower()} {row.path}")),
        "summary": row.summary,
        "responses": {
            "200": _content("The answer.", by_type[row.response], is_text=row.response is str),
            "default": _content("An error.", by_type[ErrorBody]),
        },
        "x-capability": row.capability,
    }
    parameters = [_path_parameter(name) for name in _NAME_IN_PATH.findall(row.path)]
    parameters += [_query_parameter(item) for item in row.parameters]
    if parameters:
        operation["parameters"] = parameters
    if row.request is not None:
        operation["requestBody"] = _content("The request.", by_type[row.request])
    return operation


def _content(text: str, schema: dict[str, Any], *, is_text: bool = False) -> dict[str, Any]:
    media_type = "text/plain" if is_text else "application/json"
    return {"description": text, "content": {media_type: {"schema": schema}}}


def _path_parameter(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": _PATH_TEXTS[name],
        "schema": {"type": "string"},
    }


def _query_parameter(parameter: Parameter) -> dict[str, Any]:
    schema = dict(_SCHEMAS[parameter.kind])
    if parameter.choices:
        schema["enum"] = list(parameter.choices)
    return {
        "name": parameter.name,
        "in": "query",
        "description": parameter.text,
        "schema": schema,
    }
