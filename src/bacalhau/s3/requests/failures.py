"""From refusals of S3 to errors for people: one message each, with a remedy (storage.md 4.6)."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bacalhau.errors import (
    BacalhauError,
    Code,
    ConflictError,
    ForbiddenError,
    ForeignCode,
    NotFoundError,
    TransientError,
    UnsuitableNodeError,
    UserError,
    ValidationError,
)
from bacalhau.lib.outbound import ForbiddenAddressError
from bacalhau.s3.requests.responses import MalformedResponseError, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bacalhau.models.problems import Problem

_BAD_CREDENTIALS = frozenset(
    {
        Code.AUTH_FAILURE,
        Code.CLOCK_SKEW,
        Code.EXPIRED_TOKEN,
        Code.INVALID_ACCESS_KEY,
        Code.INVALID_TOKEN,
        Code.SIGNATURE,
        Code.TOKEN_REFRESH,
    }
)
_REGION_CODES = frozenset({Code.REGION_MALFORMED, Code.REGION_CONSTRAINT, Code.REGION_REDIRECT})
_NO_SUCH_UPLOAD = "NoSuchUpload"
UNLISTED_HINT = (
    "the node's operator can add the server to Compute.AllowListedS3Endpoints; "
    "then requests are signed with the node's credentials"
)
_SERVER_HINT = "check that Endpoint is the address of an S3 server"
PLACE_HINTS = {
    "Endpoint": "write the address of an S3 server, such as https://minio.example.com:9000, "
    "or leave Endpoint out for AWS",
    "Region": "write the name of a region, or leave Region out",
    "Bucket": "leave out AddressingStyle, or set it to path",
}
"""What to do where a bucket cannot be found as a job names its place, by parameter."""

_PERMISSIONS = {
    "S3InputSource": "s3:ListBucket, s3:GetObject and s3:GetObjectVersion",
    "S3Publisher": "s3:PutObject",
    "S3ResultSigner": "s3:GetObject",
}
_PREFIXES = {
    "S3InputSource": "failed to fetch s3 input",
    "S3Publisher": "failed to publish s3 result",
    "S3ResultSigner": "failed to sign s3 result",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """What a request was about. ``key`` may be a prefix; ``endpoint`` is empty for AWS.

    ``is_anonymous``: the request was not signed; ``is_by_choice``: because the job wants it so;
    ``is_unlisted``: because the server is not one that gets what this node signs.
    """

    component: str
    bucket: str
    key: str = ""
    endpoint: str = ""
    is_anonymous: bool = False
    is_by_choice: bool = False
    is_unlisted: bool = False

    @property
    def name(self) -> str:
        """The bucket or object as people write it."""
        return f"s3://{self.bucket}/{self.key}" if self.key else f"s3://{self.bucket}"


def unlisted(error: type[BacalhauError], component: str, endpoint: str) -> BacalhauError:
    """Return the refusal to show credentials to a server that is not listed."""
    return error(
        f"this node does not give its AWS credentials to {endpoint}",
        code=Code.ENDPOINT_NOT_LISTED,
        component=component,
        hint=UNLISTED_HINT,
        fields=["Params.Endpoint"],
    )


@contextmanager
def explained(subject: Subject) -> Iterator[None]:
    """Turn what goes wrong inside into errors that name the subject.

    Raises:
        BacalhauError: for every refusal, broken answer and lack of an answer.
    """
    try:
        yield
    except ServiceError as exc:
        raise explain(exc, _narrowed(subject, exc.key)) from exc
    except MalformedResponseError as exc:
        subject = _narrowed(subject, exc.key)
        raise UserError(
            f"{_PREFIXES[subject.component]}: {subject.name}: {exc}",
            code=Code.UNKNOWN,
            component=subject.component,
            hint=_SERVER_HINT if subject.endpoint else "",
        ) from exc
    except ForbiddenAddressError as exc:
        raise ForbiddenError(
            f"{_PREFIXES[subject.component]}: {subject.name}: {exc}",
            component=subject.component,
            hint="Endpoint is the address of an S3 server; nodes do not ask link-local addresses, "
            "nor those of metadata services",
            fields=["Params.Endpoint"],
        ) from exc


def _narrowed(subject: Subject, key: str) -> Subject:
    """Name the object of a prefix that is to blame, where that is known."""
    return replace(subject, key=key) if key else subject


def explain(error: ServiceError, subject: Subject) -> BacalhauError:
    """Return the error for people."""
    kind, reason, hint = _judge(error, subject)
    return kind(
        reason if kind is UnsuitableNodeError else _sentence(error, subject, reason),
        code=ForeignCode(error.code),
        component=subject.component,
        hint=hint,
        details=_details(error),
        retryable=True if kind is ConflictError else None,
    )


def _sentence(error: ServiceError, subject: Subject, reason: str) -> str:
    facts = [f"S3 {error.operation}", f"status {error.status}" if error.status else "no answer"]
    if error.request_id:
        facts.append(f"request {error.request_id}")
    return f"{_PREFIXES[subject.component]}: {subject.name}: {reason} ({', '.join(facts)})"


def _details(error: ServiceError) -> dict[str, str]:
    details = {"Service": "S3", "Operation": error.operation, "ErrorCode": error.code}
    if error.request_id:
        details["AWSRequestID"] = error.request_id
    if error.status:
        details["HTTPStatusCode"] = str(error.status)
    return details


def _judge(error: ServiceError, subject: Subject) -> tuple[type[BacalhauError], str, str]:
    """Return the class, what happened, and what to do about it."""
    if error.is_transient:
        server = subject.endpoint or "S3"
        reason = error.reason or f"{server} answered {error.code}"
        return TransientError, reason, _unwell(error, subject)
    if error.code == Code.NO_SUCH_BUCKET:
        hint = "check the name of the bucket, its Region, and the Endpoint"
        return NotFoundError, f'there is no bucket "{subject.bucket}"', hint
    if error.code == _NO_SUCH_UPLOAD:
        hint = "run it again; rules of the bucket, too, may remove unfinished uploads"
        return ConflictError, "somebody removed the upload before it was complete", hint
    if _is_gone(error, subject):
        hint = "run it again when nobody removes objects"
        return ConflictError, "the object was removed while the input was fetched", hint
    if error.status == 404 or error.code == Code.NO_SUCH_KEY:
        hint = "check the key; if it is a prefix, end it with / or *"
        return NotFoundError, _missing(error, subject), error.hint or hint
    if error.code in _BAD_CREDENTIALS:
        hint = "check the AWS credentials of the node, and its clock"
        return ForbiddenError, f"the node's credentials were refused ({error.code})", hint
    if _is_refused(error, subject):
        return _denied(error, subject)
    if error.status == 412:
        hint = "run it again when nobody writes the object"
        return ConflictError, "the object changed while it was fetched", hint
    if error.status in (301, 307) or error.code in _REGION_CODES:
        return _elsewhere(error, subject)
    if error.status == 400 and "server side encryption" in error.reason.lower():
        hint = "it is encrypted with a customer's key, which inputs cannot be; store it without"
        return UserError, error.reason, hint
    hint = error.hint or (_SERVER_HINT if subject.endpoint else "")
    return UserError, error.reason or error.code, hint


def _is_gone(error: ServiceError, subject: Subject) -> bool:
    """Recognise an object that was there when it was planned: only planned ones are fetched."""
    is_missing = error.status == 404 or error.code == Code.NO_SUCH_KEY
    return is_missing and error.operation == "GetObject" and subject.component == "S3InputSource"


def _elsewhere(error: ServiceError, subject: Subject) -> tuple[type[BacalhauError], str, str]:
    if error.region:
        return UserError, f"the bucket is in region {error.region}", f"set Region to {error.region}"
    hint = "set Region to its region"
    if subject.endpoint:
        hint += ", or Endpoint to the address that the server redirects to: it is not followed"
    return UserError, "the bucket is elsewhere", hint


def _missing(error: ServiceError, subject: Subject) -> str:
    if error.code == Code.NO_SUCH_VERSION:
        return "the object has no such version"
    return f'there is no object "{subject.key}" in bucket "{subject.bucket}"'


def _denied(error: ServiceError, subject: Subject) -> tuple[type[BacalhauError], str, str]:
    if error.code == Code.OBJECT_STATE:
        return ForbiddenError, "the object is archived", "restore it first"
    if subject.is_by_choice:
        hint = "leave out Anonymous, or make the bucket public"
        return ForbiddenError, "access denied to an unsigned request", hint
    if subject.is_unlisted:
        reason = f"this node does not give its AWS credentials to {subject.endpoint}"
        return UnsuitableNodeError, reason, UNLISTED_HINT
    if subject.is_anonymous:
        return (
            UnsuitableNodeError,
            f"this node has no credentials for bucket {subject.bucket}",
            "give the node AWS credentials, or make the bucket public",
        )
    needed = _PERMISSIONS[subject.component]
    hint = f"the node's credentials need {needed}"
    if error.operation in ("HeadObject", "GetObject"):
        hint += "; without s3:ListBucket a missing key is refused, too"
    if subject.component == "S3InputSource":
        hint += "; if whoever reads the bucket pays for it, set RequestPayer to requester"
    return ForbiddenError, "access denied", hint


def refuse_params(problems: Sequence[Problem], component: str) -> None:
    """Raise one error for all that is wrong with parameters, or return when there is nothing.

    Raises:
        ValidationError: a line for each problem, ``fields`` with their paths.
    """
    if problems:
        raise ValidationError(
            "\n".join(problem.message for problem in problems),
            code=Code.S3_BAD_REQUEST,
            component=component,
            hint="\n".join(problem.hint for problem in problems if problem.hint),
            fields=[problem.path for problem in problems],
        )


def _is_refused(error: ServiceError, subject: Subject) -> bool:
    is_said = error.status in (401, 403) or error.code == Code.ACCESS_DENIED
    return is_said or _is_refused_for_lack_of_signature(error, subject)


def _is_refused_for_lack_of_signature(error: ServiceError, subject: Subject) -> bool:
    """Recognise OpenStack Swift, which takes an unsigned request for one of its own protocol."""
    is_nonsense = error.status == 400 or (error.status == 412 and error.operation != "GetObject")
    return subject.is_anonymous and is_nonsense


def _unwell(error: ServiceError, subject: Subject) -> str:
    if error.status == 0 and "certificate" in error.reason.lower():
        return "name the certificate of who signed the server's with AWS_CA_BUNDLE on the node"
    if error.status == 0 and "TLS" in error.reason:
        return "check that the server speaks TLS; if not, its Endpoint begins with http://"
    if subject.endpoint:
        return f"check that a server answers at {subject.endpoint}"
    return "check the connection of the node; the same job may succeed later"
