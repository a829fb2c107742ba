"""Signatures of requests and of links, version 4 of AWS, in the form that S3 wants.

botocore makes the same signature, but takes longer for it than all else that a small object costs
here: it derives the key anew for each request, and takes the URL apart several times.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from collections.abc import Mapping

_ALGORITHM = "AWS4-HMAC-SHA256"
_NOTHING = hashlib.sha256(b"").hexdigest()
_UNSIGNED = "UNSIGNED-PAYLOAD"
_KEPT_KEYS = 64
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Credentials(Protocol):
    """What a signature is made with; those of botocore have this form."""

    @property
    def access_key(self) -> str:
        """Who signs."""
        ...

    @property
    def secret_key(self) -> str:
        """What only the signer and the server know."""
        ...

    @property
    def token(self) -> str | None:
        """What goes along with credentials for a limited time."""
        ...


class Signer:
    """Signs requests. The key for a day and region is derived once."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, str, str], bytes] = {}
        self._last = (-1, "")

    def sign(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        *,
        credentials: Credentials,
        region: str,
        now_ns: int,
        body_digest: bytes = b"",
    ) -> dict[str, str]:
        """Return the headers of a request, with those that sign it.

        ``url`` is in the only spelling that ``Location.url`` gives it. All of ``headers`` are
        signed, as is the body, whose SHA-256 is ``body_digest`` where it is known already.
        """
        moment = self._moment_of(now_ns)
        host, path, query = _parts(url)
        query = _sorted(query)
        digest = (body_digest or hashlib.sha256(body).digest()).hex() if body else _NOTHING
        signed = {
            **headers,
            "Host": host,
            "X-Amz-Content-SHA256": digest,
            "X-Amz-Date": moment,
        }
        if credentials.token:
            signed["X-Amz-Security-Token"] = credentials.token
        lines = sorted((name.lower(), " ".join(text.split())) for name, text in signed.items())
        names = ";".join(name for name, _ in lines)
        written = "".join(f"{name}:{text}\n" for name, text in lines)
        canonical = f"{method}\n{path}\n{query}\n{written}\n{names}\n{digest}"
        scope = _scope(moment, region)
        signature = self._signature(canonical, credentials.secret_key, moment, region)
        signed["Authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={signature}"
        )
        return signed

    def presign(
        self,
        url: str,
        *,
        credentials: Credentials,
        region: str,
        now_ns: int,
        expires_seconds: int,
    ) -> str:
        """Return a link with which anybody may GET a URL for so many seconds.

        ``url`` is as for ``sign``. A link made with credentials for a limited time ends with them.
        """
        moment = self._moment_of(now_ns)
        host, path, query = _parts(url)
        pairs = {
            "X-Amz-Algorithm": _ALGORITHM,
            "X-Amz-Credential": f"{credentials.access_key}/{_scope(moment, region)}",
            "X-Amz-Date": moment,
            "X-Amz-Expires": str(expires_seconds),
            "X-Amz-SignedHeaders": "host",
        }
        if credentials.token:
            pairs["X-Amz-Security-Token"] = credentials.token
        added = urlencode(pairs, quote_via=quote, safe="")
        query = f"{query}&{added}" if query else added
        canonical = f"GET\n{path}\n{_sorted(query)}\nhost:{host}\n\nhost\n{_UNSIGNED}"
        signature = self._signature(canonical, credentials.secret_key, moment, region)
        place, _, _ = url.partition("?")
        return f"{place}?{query}&X-Amz-Signature={signature}"

    def _signature(self, canonical: str, secret: str, moment: str, region: str) -> str:
        summary = hashlib.sha256(canonical.encode()).hexdigest()
        text = f"{_ALGORITHM}\n{moment}\n{_scope(moment, region)}\n{summary}"
        return _mac(self._key(secret, moment[:8], region), text).hex()

    def _moment_of(self, now_ns: int) -> str:
        second = now_ns // 1_000_000_000
        known, moment = self._last  # one value, because several threads sign
        if second != known:
            moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            self._last = (second, moment)
        return moment

    def _key(self, secret: str, day: str, region: str) -> bytes:
        known = (secret, day, region)
        key = self._keys.get(known)
        if key is None:
            key = f"AWS4{secret}".encode()
            for step in (day, region, "s3", "aws4_request"):
                key = _mac(key, step)
            if len(self._keys) >= _KEPT_KEYS:
                self._keys.clear()
            self._keys[known] = key
        return key


def _mac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")


def _scope(moment: str, region: str) -> str:
    return f"{moment[:8]}/{region}/s3/aws4_request"


def _parts(url: str) -> tuple[str, str, str]:
    """Return host, path and query of a URL, still percent-encoded."""
    place, _, query = url.partition("?")
    scheme, _, rest = place.partition("://")
    host, _, path = rest.partition("/")
    host = host.lower().removesuffix(_DEFAULT_PORTS.get(scheme, ":"))
    return host, f"/{path}", query


def _sorted(query: str) -> str:
    if "&" not in query:
        return query
    return "&".join(sorted(query.split("&"), key=lambda pair: pair.partition("=")))
