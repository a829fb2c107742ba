"""Errors become statuses and envelopes."""

from __future__ import annotations

import json

import pytest

from bacalhau import errors
from bacalhau.api.answers import answer, error_answer, status_of


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.UserError("m"), 400),
        (errors.ValidationError("m"), 400),
        (errors.UserError("m", code=errors.Code.S3_BAD_REQUEST), 400),
        (errors.NotFoundError("m"), 404),
        (errors.NotFoundError("m", code=errors.ForeignCode("NoSuchThing")), 404),
        (errors.AmbiguousError("m", code=errors.Code.MULTIPLE_JOBS), 500),
        (errors.AmbiguousError("m", code=errors.Code.MULTIPLE_NODES), 409),
        (errors.ConflictError("m"), 409),
        (errors.ConflictError("m", code=errors.Code.JOB_STATE), 409),
        (errors.ForbiddenError("m"), 403),
        (errors.NotSupportedError("m"), 501),
        (errors.TransientError("m"), 503),
        (errors.ExecutionError("m"), 500),
        (errors.InternalError("m"), 500),
        (errors.StaleWriteError("m"), 409),
    ],
)
def test_status_follows_code_then_class(error: errors.BacalhauError, status: int) -> None:
    assert status_of(error) == status


def test_an_envelope_has_all_that_the_error_says() -> None:
    error = errors.NotFoundError(
        "job not found: j-1", component="JobStore", hint="look again", details={"b": "2", "a": "1"}
    )
    body = json.loads(bytes(error_answer(error, "r-1").body))
    assert list(body.items()) == [
        ("Status", 404),
        ("Message", "job not found: j-1"),
        ("RequestID", "r-1"),
        ("Code", "NotFound"),
        ("Component", "JobStore"),
        ("Hint", "look again"),
        ("Details", {"a": "1", "b": "2"}),
    ]


def test_an_envelope_leaves_out_what_is_empty() -> None:
    body = json.loads(bytes(error_answer(errors.InternalError("m"), "r-1").body))
    assert list(body) == ["Status", "Message", "RequestID", "Code", "Component"]
    assert body["Component"] == "Bacalhau"


def test_what_users_did_wrong_in_a_request_is_told_by_the_api() -> None:
    body = json.loads(bytes(error_answer(errors.UserError("m"), "r-1").body))
    assert body["Component"] == "APIServer"


def test_a_busy_server_says_when_to_come_back() -> None:
    assert error_answer(errors.TransientError("m"), "r-1").headers["retry-after"] == "1"


def test_equal_maps_give_equal_bytes() -> None:
    assert answer({"b": 1, "a": 2}).body == answer({"a": 2, "b": 1}).body == b'{"a":2,"b":1}'


def test_pretty_json_is_indented_by_two_spaces() -> None:
    assert answer({"a": [1]}, pretty=True).body == b'{\n  "a": [\n    1\n  ]\n}'
