"""From parameters to a bucket that can be asked (spec storage.md 2.3, 2.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.errors import Code, ForbiddenError, UserError
from bacalhau.s3.client import Bucket
from bacalhau.s3.credentials import default_endpoint
from bacalhau.s3.endpoints import locate
from bacalhau.s3.failures import Subject
from bacalhau.s3.keys import BAD_REQUEST

if TYPE_CHECKING:
    from bacalhau.s3.client import S3Client


async def reach(
    client: S3Client,
    subject: Subject,
    *,
    region: str = "",
    anonymous: bool = False,
    allow_anonymous: bool = False,
) -> tuple[Bucket, Subject]:
    """Return the subject's bucket, and the subject as it will be asked for.

    Requests are unsigned if ``anonymous``, and where the node has no credentials if it may do so.

    Raises:
        UserError: the region or endpoint is not valid.
        ForbiddenError: there are no credentials, and unsigned requests are not allowed.
    """
    is_anonymous = anonymous or await client.credentials.current() is None
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
        location = locate(subject.bucket, endpoint, region, default_region)
    except ValueError as exc:
        raise UserError(str(exc), code=BAD_REQUEST, component=subject.component) from exc
    asked = Subject(
        component=subject.component,
        bucket=subject.bucket,
        key=subject.key,
        endpoint=endpoint,
        is_anonymous=is_anonymous,
        is_by_choice=anonymous,
    )
    return Bucket(location=location, is_anonymous=is_anonymous), asked
