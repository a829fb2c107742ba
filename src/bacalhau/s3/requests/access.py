"""From parameters to a bucket that can be asked (spec storage.md 2.3, 2.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.errors import Code, ForbiddenError, UserError
from bacalhau.s3.requests.client import Bucket
from bacalhau.s3.requests.failures import Subject, unlisted
from bacalhau.s3.server.credentials import default_endpoint
from bacalhau.s3.server.endpoints import Style, locate

if TYPE_CHECKING:
    from bacalhau.s3.requests.client import S3Client


async def reach(
    client: S3Client,
    subject: Subject,
    *,
    region: str = "",
    anonymous: bool = False,
    allow_anonymous: bool = False,
    style: Style = Style.AUTO,
    headers: tuple[tuple[str, str], ...] = (),
) -> tuple[Bucket, Subject]:
    """Return the subject's bucket, and the subject as it will be asked for.

    Requests are unsigned if ``anonymous``, and if they may be where the node has no credentials, or
    none for a server that a job names. ``headers`` go along with every request.

    Raises:
        UserError: the region or endpoint is not valid.
        ForbiddenError: there are no credentials for it, and unsigned requests are not allowed.
    """
    has_credentials = not anonymous and await client.credentials.current() is not None
    is_unlisted = has_credentials and not _is_trusted(client, subject)
    if is_unlisted and not allow_anonymous:
        raise unlisted(ForbiddenError, subject.component, subject.endpoint)
    is_anonymous = is_unlisted or not has_credentials
    if is_anonymous and not (anonymous or allow_anonymous):
        raise ForbiddenError(
            "this node has no AWS credentials",
            code=Code.NO_CREDENTIALS,
            component=subject.component,
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, on the node",
        )
    endpoint = subject.endpoint or default_endpoint()
    default_region = await client.credentials.default_region()
    try:
        location = locate(subject.bucket, endpoint, region, default_region, style)
    except ValueError as exc:
        raise UserError(
            str(exc),
            code=Code.S3_BAD_REQUEST,
            component=subject.component,
            hint="correct Endpoint, Region or AddressingStyle, or AWS_ENDPOINT_URL_S3 on the node",
        ) from exc
    asked = Subject(
        component=subject.component,
        bucket=subject.bucket,
        key=subject.key,
        endpoint=endpoint,
        is_anonymous=is_anonymous,
        is_by_choice=anonymous,
        is_unlisted=is_unlisted,
    )
    return Bucket(location=location, is_anonymous=is_anonymous, headers=headers), asked


def _is_trusted(client: S3Client, subject: Subject) -> bool:
    try:
        return client.trusted.include(subject.endpoint)
    except ValueError as exc:
        raise UserError(str(exc), code=Code.S3_BAD_REQUEST, component=subject.component) from exc
