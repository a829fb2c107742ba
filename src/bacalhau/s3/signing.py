"""Links to results that work without credentials, for a while (spec storage.md 8.1, api.md 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bacalhau.models import SpecConfig
from bacalhau.models.decode import decode_params
from bacalhau.models.specs.s3 import S3Params
from bacalhau.s3.access import reach
from bacalhau.s3.failures import Subject

if TYPE_CHECKING:
    from bacalhau.s3.client import Bucket, S3Client

COMPONENT = "S3ResultSigner"
PRE_SIGNED = "s3PreSigned"
_ARCHIVE_SUFFIX = ".tar.gz"


class ResultSigner:
    """Signs published results with the credentials of this node."""

    def __init__(self, client: S3Client) -> None:
        self._client = client

    async def presign(self, spec: SpecConfig, expires_seconds: int) -> SpecConfig:
        """Return a result of type ``s3PreSigned`` for one of type ``s3``.

        Everything else is returned as it is: other types, results that are not one archive, and all
        of them where this node has no credentials, or none for that server. The link is for the
        version that was published.

        Raises:
            UserError: the credentials of this node are broken, or the result names no valid server.
        """
        if spec.kind != "s3":
            return spec
        params = decode_params(S3Params, spec)
        if not params.key.endswith(_ARCHIVE_SUFFIX):
            return spec
        credentials = await self._client.credentials.current()
        if credentials is None or not _is_trusted(self._client, params):
            return spec
        subject = Subject(
            component=COMPONENT, bucket=params.bucket, key=params.key, endpoint=params.endpoint
        )
        bucket, _ = await reach(self._client, subject, region=params.region)
        query = {"versionId": params.version_id} if params.version_id else {}
        url = _signed_url(bucket, params.key, query, credentials, expires_seconds)
        return SpecConfig(
            type=PRE_SIGNED,
            params={"PreSignedURL": url, "SourceSpec": msgspec.to_builtins(params)},
        )


def _is_trusted(client: S3Client, params: S3Params) -> bool:
    try:
        return client.trusted.include(params.endpoint)
    except ValueError:
        return True  # ``reach`` says what is wrong with it


def _signed_url(
    bucket: Bucket, key: str, query: dict[str, str], credentials: Any, expires_seconds: int
) -> str:
    from botocore.auth import S3SigV4QueryAuth
    from botocore.awsrequest import AWSRequest

    location = bucket.location
    request = AWSRequest(method="GET", url=location.url(key, query))
    S3SigV4QueryAuth(credentials, "s3", location.region, expires=expires_seconds).add_auth(request)
    return str(request.url)
