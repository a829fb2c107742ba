"""Results in S3 that nobody has signed, got with the user's own credentials."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bacalhau.client.answers import WHOLE, broken, refusal
from bacalhau.client.failures import COMPONENT, REPLACED_HINT
from bacalhau.client.results import (
    PublishedFile,
    Result,
    entry_of,
    fields_of,
    file_name,
    published_digest,
    tree_of,
)
from bacalhau.client.web import Web
from bacalhau.errors import Code, ForbiddenError, UserError
from bacalhau.models.specs.s3 import MANIFEST
from bacalhau.s3.server.credentials import CredentialChain, default_endpoint
from bacalhau.s3.server.endpoints import DEFAULT_REGION, Location, locate
from bacalhau.s3.server.sigv4 import Signer
from bacalhau.s3.server.trust import KEY, TrustedEndpoints

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from http.client import HTTPMessage

    from bacalhau.client.addresses import Address
    from bacalhau.config import Settings
    from bacalhau.lib.clock import SystemClock
    from bacalhau.models.job import SpecConfig

_LIMIT_BYTES = 256 * 1024 * 1024
_ATTEMPTS = 4
_LOOKED_UP_SECONDS = 60.0


def own_access(settings: Settings, clock: SystemClock) -> OwnAccess | None:
    """Return the way to objects in S3 for a user who has credentials; None for others.

    Raises:
        UserError: the credentials are broken, or the list of endpoints is.
    """
    credentials = OwnCredentials(clock)
    return OwnAccess(credentials, settings.words(KEY)) if credentials.look_up() else None


class OwnCredentials:
    """The credentials that other AWS programs on this machine use (spec storage.md 2.3)."""

    def __init__(self, clock: SystemClock) -> None:
        self._clock = clock
        self._signer = Signer()
        self._lock = threading.Lock()
        self._found: Any = None
        self._found_at = 0.0
        self.region = DEFAULT_REGION

    def look_up(self) -> bool:
        """Find them; False when there are none.

        Raises:
            UserError: code ``InvalidCredentials``; a profile or a helper program is broken.
        """
        try:
            self._found = asyncio.run(self._search())
        except UserError as exc:
            raise UserError(
                f"your AWS credentials cannot be used: {exc.__cause__ or exc}",
                code=Code.INVALID_CREDENTIALS,
                hint="check AWS_PROFILE, ~/.aws/config and ~/.aws/credentials",
                component=COMPONENT,
            ) from exc
        self._found_at = self._clock.monotonic()
        return self._found is not None

    def sign(self, url: str, region: str) -> dict[str, str]:
        """Return the headers of a GET.

        Raises:
            UserError: as ``look_up``.
        """
        with self._lock:
            if self._clock.monotonic() > self._found_at + _LOOKED_UP_SECONDS:
                self.look_up()  # those for a limited time are renewed by this
            return self._signer.sign(
                "GET",
                url,
                {},
                b"",
                credentials=self._found,
                region=region,
                now_ns=self._clock.now_ns(),
            )

    async def _search(self) -> Any:
        with ThreadPoolExecutor(1, thread_name_prefix="credentials") as executor:
            chain = CredentialChain(self._clock, executor)
            found = await chain.current()
            self.region = await chain.default_region()
            return found


class OwnAccess:
    """Reads results of type ``s3``; a ``DirectAccess``.

    ``trusted`` are endpoints that see what these credentials sign, besides AWS and the one of the
    environment: a result names whatever endpoint its job named.
    """

    def __init__(self, credentials: OwnCredentials, trusted: Sequence[str]) -> None:
        self._credentials = credentials
        self._trusted = TrustedEndpoints(trusted)

    def result(self, spec: SpecConfig) -> Result:
        """See ``DirectAccess``."""
        params = fields_of(spec.params, spec.type)
        bucket, key = (str(params.get(name) or "") for name in ("bucket", "key"))
        if not bucket or not key:
            raise UserError("a result of type s3 has no Bucket or Key", component=COMPONENT)
        place = _Place(self._locate(bucket, params))
        name = file_name(place.location.url(key))
        if key.endswith("/"):
            return self._tree(name.rstrip("_"), place, key, params)
        version = str(params.get("versionid") or "")
        digest = published_digest(params.get("checksumsha256"))
        file = PublishedFile(address=self._address(place, key, version), digest=digest)
        return Result(name=name, files=(file,))

    def _locate(self, bucket: str, params: Mapping[str, Any]) -> Location:
        endpoint = str(params.get("endpoint") or "")
        try:
            if not self._trusted.include(endpoint):
                raise ForbiddenError(
                    f"your AWS credentials are not used for {endpoint}, which the result names",
                    code=Code.ENDPOINT_NOT_LISTED,
                    hint=f"if you trust it: AWS_ENDPOINT_URL_S3={endpoint}, or -c {KEY}={endpoint}",
                    component=COMPONENT,
                )
            region = str(params.get("region") or "")
            return locate(bucket, endpoint or default_endpoint(), region, self._credentials.region)
        except ValueError as exc:
            raise UserError(
                f"the result is at a place that makes no sense: {exc}", component=COMPONENT
            ) from exc

    def _address(self, place: _Place, key: str, version: str = "") -> S3Object:
        return S3Object(self._credentials, place, key, version)

    def _tree(self, name: str, place: _Place, key: str, params: Mapping[str, Any]) -> Result:
        where = f"s3://{place.location.bucket}/{key}"
        version = str(params.get("versionid") or "")
        address = self._address(place, f"{key}{MANIFEST}", version)
        body = _read(address)
        wanted = published_digest(params.get("checksumsha256"))
        if wanted is not None and hashlib.sha256(body).digest() != wanted:
            raise UserError(
                f"{address.name} does not have the checksum it was published with",
                code=Code.CHECKSUM_MISMATCH,
                hint=REPLACED_HINT,
                component=COMPONENT,
            )
        try:
            listed = fields_of(json.loads(body), where).get("files")
        except (ValueError, RecursionError):
            listed = None
        if not isinstance(listed, list):
            raise UserError(
                f"{address.name} is not a list of files",
                code=Code.DAMAGED_RESULT,
                hint="it was damaged or replaced since the job ran",
                component=COMPONENT,
            )
        entries: list[tuple[str, int | None, str, Address]] = []
        for item in listed:
            path, size, digest, fields = entry_of(item, where)
            version = str(fields.get("versionid") or "")
            entries.append((path, size, digest, self._address(place, f"{key}{path}", version)))
        return tree_of(name, entries, where)


class _Place:
    """A bucket, in the region that it turns out to be in."""

    def __init__(self, location: Location) -> None:
        self.location = location


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object that is asked for with credentials; an ``Address``."""

    credentials: OwnCredentials
    place: _Place
    key: str
    version: str

    @property
    def name(self) -> str:
        """See ``Address``."""
        return self.place.location.url(self.key)

    @property
    def advice(self) -> str:
        """See ``Address``."""
        place = f"s3://{self.place.location.bucket}/{self.key}"
        return f"check your AWS credentials; they need s3:GetObject on {place}"

    def request(self) -> tuple[str, dict[str, str]]:
        """See ``Address``."""
        location = self.place.location
        url = location.url(self.key, {"versionId": self.version} if self.version else {})
        return url, self.credentials.sign(url, location.region)

    def learn(self, status: int, headers: HTTPMessage) -> bool:
        """See ``Address``: AWS tells where a bucket is to whoever asks elsewhere."""
        location = self.place.location
        region = headers.get("x-amz-bucket-region", "")
        if not location.is_aws or status < 300 or region in ("", location.region):
            return False
        self.place.location = location.in_region(region)
        return True


def _read(address: S3Object) -> bytes:
    """Return the content of a small object."""
    with closing(Web()) as web:
        for attempt in range(_ATTEMPTS):
            url, headers = address.request()
            try:
                with web.get(url, headers) as response:
                    if response.status == WHOLE:
                        return response.read(_LIMIT_BYTES)
                    if not address.learn(response.status, response.headers):
                        raise refusal(address, response)
            except (OSError, http.client.HTTPException) as exc:
                if attempt + 1 == _ATTEMPTS:
                    raise broken(address.name, exc) from exc
    raise UserError(f"{address.name} cannot be found in any region", component=COMPONENT)
