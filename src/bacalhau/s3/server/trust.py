"""Which servers may see what this node signs with its own credentials (spec security.md T-J11).

A job names the server that it wants to read from or write to. A signature, and the session token
that goes along with it, are only for servers of the operator's choice: those of S3 itself, the one
that the environment of the node names, and those listed in ``Compute.AllowListedS3Endpoints``.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from bacalhau.errors import Code, UserError
from bacalhau.lib.addresses import with_port
from bacalhau.s3.server.credentials import default_endpoint
from bacalhau.s3.server.endpoints import parse_endpoint

if TYPE_CHECKING:
    from collections.abc import Sequence

KEY = "Compute.AllowListedS3Endpoints"

_ENTRY = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>\[[0-9a-f:.*]+\]|[a-z0-9.*_-]+)(?::(?P<port>[0-9]+|\*))?/*"
)
_REGION = r"[a-z]{2}(?:-[a-z]+)+-[0-9]+"
# Only names of S3 itself: others below amazonaws.com belong to customers of AWS.
_S3_HOST = re.compile(
    r"(?:[a-z0-9.-]+\.)?"
    rf"(?:s3-accelerate(?:\.dualstack)?|s3(?:[.-](?:fips[.-])?(?:dualstack\.)?{_REGION})?)"
    r"\.amazonaws\.com(?:\.cn)?"
)
_PORTS = {"http": 80, "https": 443}


class TrustedEndpoints:
    """The servers that are asked with the node's credentials.

    An entry is ``https://HOST[:PORT]``, where host and port may have ``*`` in them; without a
    scheme both are meant. The entry ``*`` means every server.
    """

    def __init__(self, entries: Sequence[str] = ()) -> None:
        """Read the operator's list.

        Raises:
            UserError: an entry is not of that form.
        """
        self._patterns = [pattern for entry in entries for pattern in _patterns(entry)]

    def include(self, endpoint: str) -> bool:
        """Tell whether a job's endpoint, or AWS if it is empty, gets what the node signs.

        Raises:
            ValueError: the endpoint is no URL of a server.
        """
        if not endpoint:
            return True
        own = default_endpoint()
        origin = _origin(endpoint)
        if own and origin == _origin(own):
            return True
        if _S3_HOST.fullmatch(parse_endpoint(endpoint).hostname or ""):
            return True
        return any(fnmatchcase(origin, pattern) for pattern in self._patterns)


def _origin(endpoint: str) -> str:
    parts = parse_endpoint(endpoint)
    host = parts.hostname or ""
    return f"{parts.scheme}://{with_port(host, parts.port or _PORTS[parts.scheme])}"


def _patterns(entry: str) -> list[str]:
    text = entry.strip().lower()
    if text == "*":
        return ["*"]
    match = _ENTRY.fullmatch(text)
    if match is None:
        raise UserError(
            f'invalid value "{entry}" for {KEY}: it must be like https://HOST[:PORT]',
            code=Code.CONFIGURATION,
            hint="host and port may contain *; a path is not part of it",
            component="S3",
            fields=[KEY],
        )
    host = match["host"].replace("[", "[[]", 1) if match["host"].startswith("[") else match["host"]
    schemes = [match["scheme"]] if match["scheme"] else list(_PORTS)
    return [f"{scheme}://{host}:{match['port'] or _PORTS[scheme]}" for scheme in schemes]
