"""Names of images, as Docker reads them."""

from __future__ import annotations

import re
from dataclasses import dataclass

DOCKER_HUB = "docker.io"

_DOMAIN = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?\.)*[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:(?P<domain>{_DOMAIN}(?::[0-9]+)?|\[[a-fA-F0-9:]+\](?::[0-9]+)?)/)?"
    rf"(?P<name>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>[a-z0-9]+(?:[+._-][a-z0-9]+)*:[0-9a-f]{32,}))?"
)
_NAME_LIMIT = 255


@dataclass(frozen=True, slots=True)
class Reference:
    """An image: where it is, how it is called, and which one of that name."""

    registry: str
    repository: str
    tag: str
    digest: str

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry}/{self.repository}{tag}{digest}"


def parse_reference(image: str) -> Reference | None:
    """Read the name of an image and fill in what is left out; None when it is not one.

    ``ubuntu`` is ``docker.io/library/ubuntu:latest``. The first part is a registry when it looks
    like a host: it has a dot or a port, an upper-case letter, or is ``localhost``.
    """
    match = _REFERENCE.fullmatch(image) if len(image) <= _NAME_LIMIT else None
    if match is None:
        return None
    domain, name = match["domain"] or "", match["name"]
    if domain and domain.islower() and domain != "localhost" and not re.search(r"[.:\[]", domain):
        domain, name = "", f"{domain}/{name}"
    if domain in ("", "index.docker.io"):
        domain = DOCKER_HUB
    if domain == DOCKER_HUB and "/" not in name:
        name = f"library/{name}"
    digest = match["digest"] or ""
    tag = match["tag"] or ("" if digest else "latest")
    return Reference(registry=domain, repository=name, tag=tag, digest=digest)
