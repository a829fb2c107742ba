"""Names for nodes that nobody has named (spec config.md 8.4)."""

from __future__ import annotations

import http.client
import os
import re
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from bacalhau.errors import Code, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bacalhau.ports import Ids

ANSWER_SECONDS = 2.0
_LONGEST_NAME = 253
_FORBIDDEN = re.compile(r"[\s\x00-\x1f\x7f./*>]")
_AWS = "http://169.254.169.254"
_GCP = "http://metadata.google.internal"
_NO_TOKENS = (403, 404, 405)
"""How a metadata service says that it hands out no tokens: it is one of the first version."""


def provide_name(provider: str, ids: Ids, environment: Mapping[str, str] = os.environ) -> str:
    """Return a name of the kind that ``NameProvider`` asks for.

    The addresses of metadata services can be set as other tools have it, with
    ``AWS_EC2_METADATA_SERVICE_ENDPOINT`` and ``GCE_METADATA_HOST``.

    Raises:
        UserError: the service does not answer within two seconds, or its answer is no name.
    """
    providers: dict[str, Callable[[], str]] = {
        "puuid": lambda: f"n-{ids.uuid()}",
        "uuid": ids.uuid,
        "hostname": lambda: socket.gethostname().replace(".", "-"),
        "aws": lambda: _aws_instance(environment),
        "gcp": lambda: _gcp_instance(environment),
    }
    name = providers[provider.lower()]()
    check_name(name, f"NameProvider {provider}")
    return name


def check_name(name: str, origin: str) -> None:
    """Refuse what cannot be a node's name, as it is part of the names of messages.

    Raises:
        UserError: it is empty or too long, or has blanks or one of ``. / * >``.
    """
    if name and len(name) <= _LONGEST_NAME and not _FORBIDDEN.search(name):
        return
    raise UserError(
        f"{origin} gives {name!r}, which cannot be the name of a node",
        code=Code.CONFIGURATION,
        hint=f"a name has 1 to {_LONGEST_NAME} characters, without blanks and . / * >; "
        "set one with --name",
        component="NameProvider",
        fields=["NodeID"],
    )


def _aws_instance(environment: Mapping[str, str]) -> str:
    base = environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or _AWS
    path = "/latest/meta-data/instance-id"
    wanted = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    status, token = _ask("aws", base, "PUT", "/latest/api/token", wanted)
    if status in _NO_TOKENS:
        return _found("aws", base, path, {})
    if status != http.client.OK:
        raise _no_answer("aws", base, f"it answered {status}")
    return _found("aws", base, path, {"X-aws-ec2-metadata-token": token})


def _gcp_instance(environment: Mapping[str, str]) -> str:
    host = environment.get("GCE_METADATA_HOST")
    base = f"http://{host}" if host else _GCP
    path = "/computeMetadata/v1/instance/id"
    return _found("gcp", base, path, {"Metadata-Flavor": "Google"})


def _found(provider: str, base: str, path: str, headers: Mapping[str, str]) -> str:
    status, body = _ask(provider, base, "GET", path, headers)
    if status != http.client.OK:
        raise _no_answer(provider, base, f"it answered {status}")
    return body.strip()


def _ask(
    provider: str, base: str, method: str, path: str, headers: Mapping[str, str]
) -> tuple[int, str]:
    """Send one request, past all proxies: the service is on this machine's own network."""
    place = urlsplit(base)
    try:
        connection = http.client.HTTPConnection(
            place.hostname or "", place.port or 80, timeout=ANSWER_SECONDS
        )
        try:
            connection.request(method, place.path.rstrip("/") + path, headers=dict(headers))
            with connection.getresponse() as response:
                return response.status, response.read(4096).decode("utf-8", "replace")
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as exc:
        raise _no_answer(provider, base, str(exc) or type(exc).__name__) from exc


def _no_answer(provider: str, base: str, reason: str) -> UserError:
    return UserError(
        f"NameProvider {provider}: the metadata service at {base} does not tell the name of this "
        f"machine: {reason}",
        code=Code.CONFIGURATION,
        hint="set a name with --name, or make one up with -c NameProvider=puuid",
        component="NameProvider",
        fields=["NameProvider"],
    )
