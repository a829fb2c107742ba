"""Which server holds a bucket, and in which form it is asked (spec storage.md 2.4)."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import SplitResult, quote, urlencode, urlsplit, urlunsplit

DEFAULT_REGION = "us-east-1"

_REGION = re.compile(r"[A-Za-z0-9-]+")
_HOST_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_NOT_IN_A_HOST = frozenset(" @$*{}<>|^`'\"\\()&=+!,;")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
_AWS_HOST = re.compile(r"(?:^|\.)amazonaws\.com(?:\.cn)?$")
_AWS_REGION = re.compile(
    r"(?:^|\.)s3[.-](?:fips[.-])?(?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-[0-9]+)\.amazonaws\.com"
)


class Style(StrEnum):
    """Where the name of the bucket goes: before the host's, or into the path.

    ``auto`` is the first for AWS without a given endpoint, where the name allows it.
    """

    AUTO = "auto"
    PATH = "path"
    VIRTUAL = "virtual"


@dataclass(frozen=True, kw_only=True, slots=True)
class Location:
    """A bucket at a server. ``base`` is the URL under which the bucket's keys lie."""

    bucket: str
    base: str
    region: str
    is_aws: bool
    has_given_endpoint: bool
    style: Style = Style.AUTO

    def url(self, key: str = "", query: dict[str, str] | None = None) -> str:
        """Return the URL of an object, or of the bucket without a key, in its only spelling."""
        if key:
            path = f"{self.base}/{quote(key, safe='/~')}"
        else:
            # A host alone is asked for "/", and that is what a signature has to be for.
            path = self.base if self.base.count("/") > 2 else f"{self.base}/"
        return f"{path}?{urlencode(query, quote_via=quote)}" if query else path

    def in_region(self, region: str) -> Location:
        """Return the same bucket as asked for in another region."""
        if self.has_given_endpoint:
            return replace(self, region=region)
        return _aws_location(self.bucket, region, self.style)


def locate(
    bucket: str, endpoint: str, region: str, default_region: str, style: Style = Style.AUTO
) -> Location:
    """Find a bucket.

    ``endpoint`` is a job's parameter or the node's own; empty means AWS. The region is the given
    one, else the one in an endpoint of AWS, else the default.

    Raises:
        ValueError: the endpoint is no URL of a server, the region no name of one, or the bucket's
            name cannot be part of a host's.
    """
    if region and not _REGION.fullmatch(region):
        raise ValueError(f"region {region!r} is not a name such as {DEFAULT_REGION}")
    if style is Style.VIRTUAL and not _HOST_LABEL.fullmatch(bucket):
        raise ValueError(f"bucket {bucket!r} cannot be part of a host name, as virtual style asks")
    if not endpoint:
        return _aws_location(bucket, region or default_region, style)
    parts = parse_endpoint(endpoint)
    host = parts.hostname or ""
    is_aws = bool(_AWS_HOST.search(host))
    if is_aws and host.startswith(f"{bucket}."):
        parts = parts._replace(netloc=parts.netloc.removeprefix(f"{bucket}."))
    encoded = _AWS_REGION.search(host)
    return Location(
        bucket=bucket,
        base=_base(parts, bucket, style),
        region=region or (encoded[1] if encoded else default_region),
        is_aws=is_aws,
        has_given_endpoint=True,
        style=style,
    )


def _base(endpoint: SplitResult, bucket: str, style: Style) -> str:
    if style is not Style.VIRTUAL:
        return f"{urlunsplit(endpoint).rstrip('/')}/{quote(bucket, safe='~')}"
    if _is_address(endpoint.hostname or ""):
        raise ValueError(f"endpoint {endpoint.netloc!r} is an address; virtual style needs a name")
    return urlunsplit(endpoint._replace(netloc=f"{bucket}.{endpoint.netloc}")).rstrip("/")


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
    is_clean = parts.netloc.isprintable() and not set(parts.netloc) & _NOT_IN_A_HOST
    if not host or not is_clean or parts.query or parts.fragment:
        raise ValueError(f"endpoint {endpoint!r} must have the form https://HOST[:PORT][/PATH]")
    if _NUMBER.fullmatch(host.rpartition(".")[2]) and not _is_address(host):
        raise ValueError(f"endpoint {endpoint!r} has an address that is not written as usual")
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


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _aws_location(bucket: str, region: str, style: Style) -> Location:
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    host = f"s3.{region}.{domain}"
    # A dotted name would not fit the certificate of *.s3.<region>.amazonaws.com, and nothing that
    # is not a label may become part of a host name.
    if style is not Style.PATH and _HOST_LABEL.fullmatch(bucket):
        base = f"https://{bucket}.{host}"
    else:
        base = f"https://{host}/{quote(bucket, safe='~')}"
    return Location(
        bucket=bucket,
        base=base,
        region=region,
        is_aws=True,
        has_given_endpoint=False,
        style=style,
    )
