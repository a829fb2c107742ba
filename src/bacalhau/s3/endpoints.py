"""Which server holds a bucket, and in which form it is asked (spec storage.md 2.4)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, quote, urlencode, urlsplit, urlunsplit

DEFAULT_REGION = "us-east-1"

_REGION = re.compile(r"[A-Za-z0-9-]+")
_HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_AWS_HOST = re.compile(r"(?:^|\.)amazonaws\.com(?:\.cn)?$")
_AWS_REGION = re.compile(
    r"(?:^|\.)s3[.-](?:fips[.-])?(?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-[0-9]+)\.amazonaws\.com"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """A bucket at a server. ``base`` is the URL under which the bucket's keys lie."""

    bucket: str
    base: str
    region: str
    is_aws: bool
    has_given_endpoint: bool

    def url(self, key: str = "", query: dict[str, str] | None = None) -> str:
        """Return the URL of an object, or of the bucket without a key, in its only spelling."""
        path = f"{self.base}/{quote(key, safe='/~')}" if key else self.base
        return f"{path}?{urlencode(query, quote_via=quote)}" if query else path

    def in_region(self, region: str) -> Location:
        """Return the same bucket as asked for in another region."""
        if self.has_given_endpoint:
            return replace(self, region=region)
        return _aws_location(self.bucket, region)


def locate(bucket: str, endpoint: str, region: str, default_region: str) -> Location:
    """Find a bucket.

    ``endpoint`` is a job's parameter or the node's own; empty means AWS. The region is the given
    one, else the one in an endpoint of AWS, else the default.

    Raises:
        ValueError: the endpoint is no URL of a server, or the region no name of one.
    """
    if region and not _REGION.fullmatch(region):
        raise ValueError(f"region {region!r} is not a name such as {DEFAULT_REGION}")
    if not endpoint:
        return _aws_location(bucket, region or default_region)
    parts = parse_endpoint(endpoint)
    host = parts.hostname or ""
    is_aws = bool(_AWS_HOST.search(host))
    if is_aws and host.startswith(f"{bucket}."):
        parts = parts._replace(netloc=parts.netloc.removeprefix(f"{bucket}."))
    encoded = _AWS_REGION.search(host)
    return Location(
        bucket=bucket,
        base=f"{urlunsplit(parts).rstrip('/')}/{quote(bucket, safe='~')}",
        region=region or (encoded[1] if encoded else default_region),
        is_aws=is_aws,
        has_given_endpoint=True,
    )


def parse_endpoint(endpoint: str) -> SplitResult:
    """Return the parts of an endpoint; one without scheme gets the likely one.

    Raises:
        ValueError: as ``locate``.
    """
    text = endpoint.strip()
    if "://" not in text:
        text = f"{'http' if _is_near(text) else 'https'}://{text}"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise ValueError(f"endpoint {endpoint!r} is not a URL: {exc}") from exc
    if parts.scheme not in ("http", "https"):
        raise ValueError(f"endpoint {endpoint!r} must begin with http:// or https://")
    if not host or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"endpoint {endpoint!r} must have the form https://HOST[:PORT][/PATH]")
    return parts


def has_scheme(endpoint: str) -> bool:
    """Tell whether an endpoint says how it is reached; a guess deserves a warning."""
    return "://" in endpoint


def _is_near(text: str) -> bool:
    host = urlsplit(f"//{text}").hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return False


def _aws_location(bucket: str, region: str) -> Location:
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    host = f"s3.{region}.{domain}"
    # A dotted name would not fit the certificate of *.s3.<region>.amazonaws.com, and nothing that
    # is not a label may become part of a host name.
    if _HOST_LABEL.fullmatch(bucket):
        base = f"https://{bucket}.{host}"
    else:
        base = f"https://{host}/{quote(bucket, safe='~')}"
    return Location(bucket=bucket, base=base, region=region, is_aws=True, has_given_endpoint=False)
