"""Each refusal of S3 is told once, with what to do about it."""

from __future__ import annotations

import pytest

from bacalhau.errors import (
    BacalhauError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    TransientError,
    UnsuitableNodeError,
    UserError,
)
from bacalhau.s3.requests.failures import Subject, explain
from bacalhau.s3.requests.responses import ServiceError

SOURCE = Subject(component="S3InputSource", bucket="b", key="k")


@pytest.mark.parametrize(
    ("status", "code", "kind", "message", "hint"),
    [
        (404, "NotFound", NotFoundError, 'no object "k" in bucket "b"', "end it with / or *"),
        (404, "NoSuchKey", NotFoundError, 'no object "k" in bucket "b"', "check the key"),
        (404, "NoSuchBucket", NotFoundError, 'no bucket "b"', "name of the bucket"),
        (404, "NoSuchUpload", ConflictError, "removed the upload", "rules of the bucket"),
        (404, "NoSuchVersion", NotFoundError, "has no such version", "check the key"),
        (403, "AccessDenied", ForbiddenError, "access denied", "s3:ListBucket, s3:GetObject"),
        (403, "Forbidden", ForbiddenError, "access denied", "a missing key is refused, too"),
        (403, "InvalidObjectState", ForbiddenError, "archived", "restore it first"),
        (403, "ExpiredToken", ForbiddenError, "refused (ExpiredToken)", "credentials of the node"),
        (403, "RequestTimeTooSkewed", ForbiddenError, "refused (RequestTime", "and its clock"),
        (412, "PreconditionFailed", ConflictError, "changed while it was fetched", "run it again"),
        (301, "PermanentRedirect", UserError, "in region eu-west-1", "set Region to eu-west-1"),
        (400, "AuthorizationHeaderMalformed", UserError, "in region eu-west-1", "set Region to"),
        (503, "SlowDown", TransientError, "slow down", "may succeed later"),
        (400, "InvalidRequest", UserError, "slow down", ""),
    ],
)
def test_refusals(
    status: int, code: str, kind: type[BacalhauError], message: str, hint: str
) -> None:
    refused = ServiceError(
        operation="HeadObject",
        status=status,
        code=code,
        reason="slow down",
        request_id="R1",
        region="eu-west-1",
    )
    error = explain(refused, SOURCE)
    assert type(error) is kind
    assert error.message.startswith("failed to fetch s3 input: s3://b/k: ")
    assert error.message.endswith(f" (S3 HeadObject, status {status}, request R1)")
    assert message in error.message
    assert hint in error.hint
    assert error.code == code
    assert error.component == "S3InputSource"
    assert error.details == {
        "Service": "S3",
        "Operation": "HeadObject",
        "ErrorCode": code,
        "AWSRequestID": "R1",
        "HTTPStatusCode": str(status),
    }
    assert error.retryable is (kind in (TransientError, ConflictError))


def test_a_node_without_credentials_leaves_the_bucket_to_others() -> None:
    subject = Subject(component="S3InputSource", bucket="b", key="k", is_anonymous=True)
    error = explain(ServiceError(operation="HeadObject", status=403, code="Forbidden"), subject)
    assert type(error) is UnsuitableNodeError
    assert error.message == "this node has no credentials for bucket b"
    assert error.hint == "give the node AWS credentials, or make the bucket public"
    assert error.code == "Forbidden"
    assert error.retryable


def test_an_unsigned_request_that_the_job_wants_fails_it_everywhere() -> None:
    subject = Subject(
        component="S3InputSource", bucket="b", key="k", is_anonymous=True, is_by_choice=True
    )
    error = explain(ServiceError(operation="HeadObject", status=403, code="Forbidden"), subject)
    assert type(error) is ForbiddenError
    assert "access denied to an unsigned request" in error.message
    assert "leave out Anonymous" in error.hint
    assert not error.retryable


def test_publisher_needs_other_permissions() -> None:
    subject = Subject(component="S3Publisher", bucket="b", key="k")
    error = explain(ServiceError(operation="PutObject", status=403, code="AccessDenied"), subject)
    assert error.message == (
        "failed to publish s3 result: s3://b/k: access denied (S3 PutObject, status 403)"
    )
    assert error.hint == "the node's credentials need s3:PutObject"


def test_no_answer_names_the_server() -> None:
    subject = Subject(component="S3InputSource", bucket="b", endpoint="http://h:9000")
    refused = ServiceError(
        operation="ListObjectsV2", status=0, code="ServiceUnavailable", reason="refused"
    )
    error = explain(refused, subject)
    assert error.message == (
        "failed to fetch s3 input: s3://b: refused (S3 ListObjectsV2, no answer)"
    )
    assert error.hint == "check that a server answers at http://h:9000"
