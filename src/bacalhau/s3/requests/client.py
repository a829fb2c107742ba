"""Requests to S3 servers: signed, repeated where that helps, and answered with values.

aiohttp carries them. A client library with its own idea of paths would not do: keys may contain
``//``, ``..`` and control characters, prefixes may end within a name, and addresses have to pass
``lib.outbound``.
"""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import aiohttp
from yarl import URL

from bacalhau.config.certificates import aws_certificates
from bacalhau.errors import Code
from bacalhau.lib.backoff import Backoff
from bacalhau.lib.outbound import (
    check_host,
    guarded_session,
    proxy_for,
    why_unanswered,
)
from bacalhau.lib.threads import run_to_end
from bacalhau.s3.connections.ways import THREADS, DirectWays
from bacalhau.s3.requests.body import attended
from bacalhau.s3.requests.responses import (
    ListingPage,
    MalformedResponseError,
    ObjectFacts,
    ServiceError,
    parse_error,
    parse_facts,
    parse_listing,
)
from bacalhau.s3.server.credentials import CredentialChain
from bacalhau.s3.server.sigv4 import Signer
from bacalhau.s3.server.trust import TrustedEndpoints

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from bacalhau.ports import Clock, Random
    from bacalhau.s3.server.endpoints import Location

ATTEMPTS = 5
BACKOFF = Backoff(initial_seconds=0.1, maximum_seconds=20.0)
SILENCE_SECONDS = 60.0
"""How long an answer may stand still before it is given up, and asked for anew."""

_THREADS = 8
_EXPIRED = frozenset({Code.EXPIRED_TOKEN, Code.TOKEN_REFRESH})
_ERROR_LIMIT_BYTES = 64 * 1024
_LISTING_LIMIT_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Bucket:
    """A bucket, whether requests to it are signed, and what each of them has to say."""

    location: Location
    is_anonymous: bool = False
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request. ``operation`` is its name in the S3 API.

    ``body_digest`` is the SHA-256 of the body, where it is known already.
    """

    operation: str
    method: str
    bucket: Bucket
    key: str = ""
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    body_digest: bytes = b""

    @property
    def all_headers(self) -> dict[str, str]:
        """The headers of this request and those of every request to the bucket."""
        return {**dict(self.bucket.headers), **self.headers}


class S3Client:
    """Connections, credentials and threads shared by all requests of one plug-in."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        credentials: CredentialChain,
        executor: Executor,
        chance: Random,
        trusted: TrustedEndpoints,
        clock: Clock,
        direct: DirectWays,
    ) -> None:
        self.credentials = credentials
        self.trusted = trusted
        self.executor = executor
        self.direct = direct
        self._session = session
        self._chance = chance
        self._clock = clock
        self._signer = Signer()
        self._regions: dict[str, Location] = {}
        self._proxies: dict[str, str | None] = {}

    @classmethod
    @asynccontextmanager
    async def open(
        cls, clock: Clock, *, connections: int, trusted: Sequence[str] = ()
    ) -> AsyncIterator[S3Client]:
        """Open a client with at most so many connections; leaving the context closes it.

        ``trusted`` are the endpoints that may be asked with the node's credentials, besides AWS.

        Raises:
            UserError: one of them is no endpoint, or the trusted certificates cannot be read.
        """
        allowed = TrustedEndpoints(trusted)
        trust = aws_certificates("S3")
        with (
            ThreadPoolExecutor(_THREADS, thread_name_prefix="s3") as executor,
            ThreadPoolExecutor(THREADS, thread_name_prefix="s3-pipe") as pipe_threads,
        ):
            async with guarded_session(
                connections=connections, silence_seconds=SILENCE_SECONDS, trust=trust
            ) as session:
                credentials = CredentialChain(clock, executor)
                chance = random.Random()  # noqa: S311
                direct = DirectWays(
                    pipe_threads,
                    connections=connections,
                    silence_seconds=SILENCE_SECONDS,
                    trust=trust,
                )
                yield cls(session, credentials, executor, chance, allowed, clock, direct)

    async def head(
        self, bucket: Bucket, key: str, *, version: str = "", with_checksum: bool = False
    ) -> ObjectFacts:
        """Ask for the facts of one object.

        Raises:
            ServiceError: also for a missing object; a HEAD has no body, so the code is learnt
                from a second request.
        """
        query = {"versionId": version} if version else {}
        headers = {"x-amz-checksum-mode": "ENABLED"} if with_checksum else {}
        call = Call(
            operation="HeadObject",
            method="HEAD",
            bucket=bucket,
            key=key,
            query=query,
            headers=headers,
        )
        try:
            async with self.stream(call) as response:
                return parse_facts(response.headers)
        except ServiceError as exc:
            if exc.status not in (400, 403):
                raise
            raise await self._reason_of_refusal(call, exc) from exc

    async def page(self, bucket: Bucket, prefix: str, token: str, limit: int) -> ListingPage:
        """List at most ``limit`` objects, at most 1,000, in the order of the server.

        Raises:
            ServiceError: the server refuses.
            MalformedResponseError: it answers something else.
        """
        query = {"encoding-type": "url", "list-type": "2", "prefix": prefix}
        if token:
            query["continuation-token"] = token
        if limit < 1000:
            query["max-keys"] = str(limit)
        call = Call(operation="ListObjectsV2", method="GET", bucket=bucket, query=query)
        _, body = await self.read(call, _LISTING_LIMIT_BYTES)
        return parse_listing(body)

    async def read(self, call: Call, limit_bytes: int) -> tuple[Mapping[str, str], bytes]:
        """Make a request and return the whole answer: its headers and its body.

        Raises:
            ServiceError: the server refuses, or the answer broke off every time.
            MalformedResponseError: the answer is longer than the limit.
        """
        for attempt in range(ATTEMPTS):
            try:
                async with self.stream(call) as response:
                    body = await _read_up_to(response, limit_bytes)
            except (aiohttp.ClientError, TimeoutError) as exc:
                if attempt == ATTEMPTS - 1:
                    raise unanswered(call.operation, exc) from exc
                await self.pause(attempt)
            else:
                if len(body) > limit_bytes:
                    raise MalformedResponseError(f"the answer is longer than {limit_bytes} bytes")
                return response.headers, body
        raise AssertionError("a loop with attempts ends in one of them")

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[aiohttp.ClientResponse]:
        """Make a request until it is answered, and yield the answer with its body unread.

        What goes wrong while the body is read is the caller's concern.

        Raises:
            ServiceError: the server refuses, or does not answer after all attempts.
        """
        async with await self._answered(call) as response:
            yield response

    async def links_to(self, bucket: Bucket, expires_seconds: int) -> Callable[[str, str], str]:
        """Return what makes links to objects, by key and version, that need no credentials.

        All of them end so many seconds after this call. Making one asks nobody, and may be done in
        any thread. An empty version means whichever is the newest then.

        Raises:
            UserError: the credentials of this node are broken.
        """
        credentials = await self.credentials.current()
        assert credentials is not None, "only who has credentials makes links"
        location = self._regions.get(bucket.location.base, bucket.location)
        now_ns = self._clock.now_ns()

        def link(key: str, version: str) -> str:
            return self._signer.presign(
                location.url(key, {"versionId": version} if version else {}),
                credentials=credentials,
                region=location.region,
                now_ns=now_ns,
                expires_seconds=expires_seconds,
            )

        return link

    async def prepare(self, call: Call) -> tuple[Location, str, dict[str, str]]:
        """Return where a request goes, and its URL and headers, signed.

        Raises:
            UserError: the credentials of this node are broken.
        """
        location = self._location(call.bucket)
        url = location.url(call.key, call.query)
        headers = {"Accept-Encoding": "identity", **await self._sign(call, location, url)}
        return location, url, headers

    def has_proxy(self, location: Location) -> bool:
        """Tell whether requests to a server go through a proxy.

        Raises:
            ForbiddenAddressError: no job may reach it.
        """
        return self._proxy(location) is not None

    def region_of(self, bucket: Bucket) -> str:
        """Return the region in which AWS was found to keep a bucket; empty for other servers."""
        location = self._location(bucket)
        return location.region if location.is_aws else ""

    async def pause(self, attempt: int) -> None:
        """Wait before another attempt; ``attempt`` counts from 0."""
        await asyncio.sleep(BACKOFF.delay(attempt, self._chance.random()))

    async def _answered(self, call: Call) -> aiohttp.ClientResponse:
        attempt = 0
        is_redirected = is_renewed = False
        while True:
            try:
                response = await self._send(call)
                if response.status < 300:
                    return response
                error = await _error_of(call, response)
            except (aiohttp.ClientError, TimeoutError) as exc:
                error = unanswered(call.operation, exc)
            if not is_redirected and self._learn_region(error, call.bucket.location):
                is_redirected = True
                continue
            if not is_renewed and error.code in _EXPIRED and await self._renew(call):
                is_renewed = True
                continue
            attempt += 1
            if not error.is_transient or attempt == ATTEMPTS:
                error.key = call.key
                raise error
            await self.pause(attempt - 1)

    async def _send(self, call: Call) -> aiohttp.ClientResponse:
        location, url, headers = await self.prepare(call)
        if call.body:
            headers["Content-Length"] = str(len(call.body))
        async with attended(call.body, SILENCE_SECONDS) as body:
            return await self._session.request(
                call.method,
                URL(url, encoded=True),
                headers=headers,
                data=body,
                skip_auto_headers=("Content-Type", "Accept"),
                allow_redirects=False,
                proxy=self._proxy(location),
            )

    def _location(self, bucket: Bucket) -> Location:
        return self._regions.get(bucket.location.base, bucket.location)

    def _proxy(self, location: Location) -> str | None:
        """Return the proxy for a bucket, after a look at its host; both are looked up once."""
        if location.base not in self._proxies:
            check_host(location.base)
            self._proxies[location.base] = proxy_for(location.base)
        return self._proxies[location.base]

    async def _sign(self, call: Call, location: Location, url: str) -> dict[str, str]:
        credentials = None if call.bucket.is_anonymous else await self.credentials.current()
        if credentials is None:
            return call.all_headers
        sign = partial(
            self._signer.sign,
            call.method,
            url,
            call.all_headers,
            call.body,
            credentials=credentials,
            region=location.region,
            now_ns=self._clock.now_ns(),
            body_digest=call.body_digest,
        )
        # The signature covers the body, and hashing a large one takes a while.
        must_hash = call.body and not call.body_digest
        return await run_to_end(self.executor, sign) if must_hash else sign()

    def _learn_region(self, error: ServiceError, location: Location) -> bool:
        """Remember the region that AWS says a bucket is in; False when that is not news."""
        known = self._regions.get(location.base, location)
        if not (location.is_aws and error.region) or error.region == known.region:
            return False
        self._regions[location.base] = location.in_region(error.region)
        return True

    async def _renew(self, call: Call) -> bool:
        """Look for other credentials than those that the server holds to be expired."""
        return not call.bucket.is_anonymous and await self.credentials.renew()

    async def _reason_of_refusal(self, head: Call, error: ServiceError) -> ServiceError:
        call = Call(
            operation=head.operation,
            method="GET",
            bucket=head.bucket,
            key=head.key,
            query=head.query,
            headers={"Range": "bytes=0-0"},
        )
        try:
            async with self.stream(call):
                return error
        except ServiceError as exc:
            return exc if exc.status == error.status else error


def unanswered(operation: str, cause: Exception) -> ServiceError:
    """Return the error for a request whose answer did not come, or broke off."""
    return ServiceError(
        operation=operation, status=0, code="ServiceUnavailable", reason=why_unanswered(cause)
    )


async def _error_of(call: Call, response: aiohttp.ClientResponse) -> ServiceError:
    async with response:
        body = await _read_up_to(response, _ERROR_LIMIT_BYTES)
        return parse_error(call.operation, response.status, response.headers, body)


async def _read_up_to(response: aiohttp.ClientResponse, limit_bytes: int) -> bytes:
    """Read a body; one that is longer than the limit is cut off somewhere behind it."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit_bytes:
            break
    return bytes(body)
