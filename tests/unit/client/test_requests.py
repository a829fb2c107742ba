"""Requests as they go over the wire, and answers as they come back."""

from __future__ import annotations

import socket

import pytest

from bacalhau.client import requests
from bacalhau.client.failures import failure_from_answer, failure_from_socket
from bacalhau.client.requests import Page
from bacalhau.errors import (
    AmbiguousError,
    BacalhauError,
    ConflictError,
    ForbiddenError,
    InternalError,
    NotFoundError,
    TransientError,
    UserError,
    ValidationError,
)
from bacalhau.models import Job, JobType, SpecConfig, Task

JOB = Job(type=JobType.BATCH, count=1, tasks=[Task(name="main", engine=SpecConfig(type="noop"))])
V1 = "/api/v1"


@pytest.mark.parametrize(
    ("request_", "line"),
    [
        (requests.submit(JOB), f"PUT {V1}/orchestrator/jobs"),
        (requests.job("j-1"), f"GET {V1}/orchestrator/jobs/j-1"),
        (
            requests.job("j 1/é", include=("executions", "history")),
            f"GET {V1}/orchestrator/jobs/j%201%2F%C3%A9?include=executions%2Chistory",
        ),
        (requests.list_jobs(Page()), f"GET {V1}/orchestrator/jobs"),
        (
            requests.list_jobs(
                Page(10, "tok", "created_at", reverse=True), labels=("a=1", "!b"), namespace="ns"
            ),
            f"GET {V1}/orchestrator/jobs?limit=10&next_token=tok&order_by=created_at&reverse=true"
            "&namespace=ns&labels=a%3D1&labels=%21b",
        ),
        (
            requests.executions("j-1", Page(20)),
            f"GET {V1}/orchestrator/jobs/j-1/executions?limit=20",
        ),
        (
            requests.history("j-1", Page(10, "t"), event_type="all", execution_id="e-1"),
            f"GET {V1}/orchestrator/jobs/j-1/history?limit=10&next_token=t&event_type=all"
            "&execution_id=e-1",
        ),
        (requests.results("j-1"), f"GET {V1}/orchestrator/jobs/j-1/results"),
        (requests.stop("j-1", "why"), f"DELETE {V1}/orchestrator/jobs/j-1"),
        (
            requests.nodes(Page(), labels=("a",), approval="pending", status="connected"),
            f"GET {V1}/orchestrator/nodes?filter-approval=pending&filter-status=connected&labels=a",
        ),
        (requests.node("n-1"), f"GET {V1}/orchestrator/nodes/n-1"),
        (requests.alive(), f"GET {V1}/agent/alive"),
        (requests.version(), f"GET {V1}/agent/version"),
        (requests.agent_node(), f"GET {V1}/agent/node"),
    ],
)
def test_request_lines(request_: requests.Request[object], line: str) -> None:
    assert f"{request_.method} {request_.target}" == line


def test_bodies() -> None:
    assert requests.submit(JOB).body.startswith(b'{"Job":{"ID":"","Name":"",')
    assert requests.stop("j-1", "why").body == b'{"reason":"why"}'
    assert requests.alive().body == b""


def test_logs_target() -> None:
    target = requests.logs_target("j-1", execution_id="e-1", follow=True, tail=True)
    assert target == f"{V1}/orchestrator/jobs/j-1/logs?execution_id=e-1&follow=true&tail=true"


def test_an_answer_is_decoded() -> None:
    assert requests.decode(requests.alive(), 200, b'{"Status":"OK","New":1}').status == "OK"


def test_an_answer_of_another_shape_is_told() -> None:
    with pytest.raises(InternalError) as caught:
        requests.decode(requests.alive(), 200, b'{"Status":5}')
    assert caught.value.code == "DecodeError"
    assert "GET /api/v1/agent/alive was not understood" in caught.value.message


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (404, "NotFound", NotFoundError),
        (400, "ValidationError", ValidationError),
        (400, "InternalError", UserError),
        (500, "MultipleJobsFound", AmbiguousError),
        (409, "ResourceInUse", ConflictError),
        (403, "InternalError", ForbiddenError),
        (429, "TooManyRequests", TransientError),
        (503, "ServiceUnavailable", TransientError),
        (500, "InternalError", InternalError),
    ],
)
def test_refusals_become_what_they_were(status: int, code: str, kind: type[BacalhauError]) -> None:
    body = (
        f'{{"Status":{status},"Message":"no","RequestID":"r1","Code":"{code}",'
        '"Component":"JobStore","Hint":"try","Details":{"a":"b"}}'
    )
    error = failure_from_answer(status, body.encode())
    assert type(error) is kind
    assert (error.message, error.code, error.hint) == ("no", code, "try")
    assert error.component == "JobStore"
    assert error.details == {"a": "b", "request_id": "r1"}


def test_unauthorized_is_said_in_one_word() -> None:
    assert failure_from_answer(401, b"anything").message == "unauthorized"


def test_a_body_that_is_no_envelope_is_quoted() -> None:
    error = failure_from_answer(502, b"<html>Bad gateway</html>")
    assert isinstance(error, TransientError)
    assert "502" in error.message
    assert "<html>Bad gateway</html>" in error.message


@pytest.mark.parametrize(
    ("exc", "message"),
    [
        (
            ConnectionRefusedError(),
            "server is not running or not reachable at http://127.0.0.1:1234",
        ),
        (TimeoutError(), "request timed out"),
        (socket.gaierror(-2, "Name or service not known"), "host not found"),
        (OSError("cable"), "network error: cable"),
    ],
)
def test_failures_on_the_way(exc: OSError, message: str) -> None:
    error = failure_from_socket(exc, "http://127.0.0.1:1234")
    assert isinstance(error, TransientError)
    assert message in error.message
    assert "bacalhau serve" in error.hint
