"""Where a file of a result is, and how it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bacalhau.lib.urls import shown

if TYPE_CHECKING:
    from http.client import HTTPMessage
    from pathlib import Path


class Address(Protocol):
    """Something that can be got by HTTP."""

    @property
    def name(self) -> str:
        """The address for people, and the same in every process: without query and signature."""
        ...

    @property
    def advice(self) -> str:
        """What to do when the server does not let us have it."""
        ...

    def request(self) -> tuple[str, dict[str, str]]:
        """Return the URL to ask for now, and the headers to send along."""
        ...

    def learn(self, status: int, headers: HTTPMessage) -> bool:
        """Take in a refusal; True when ``request`` gives another answer now."""
        ...


@dataclass(frozen=True, slots=True)
class Link:
    """An address that needs nothing more."""

    url: str

    @property
    def name(self) -> str:
        """See ``Address``."""
        return shown(self.url)

    @property
    def advice(self) -> str:
        """See ``Address``."""
        return "a signed link is valid for a limited time: run the command again for a new one"

    def request(self) -> tuple[str, dict[str, str]]:
        """See ``Address``."""
        return self.url, {}

    def learn(self, status: int, headers: HTTPMessage) -> bool:
        """See ``Address``: there is nothing to learn."""
        del status, headers
        return False


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoteFile:
    """A file to fetch.

    ``stem`` is where it is kept, with a suffix, while it is incomplete. ``digest`` is its SHA-256,
    ``size_bytes`` what was published; both None where that is not known.
    """

    address: Address
    destination: Path
    stem: Path
    size_bytes: int | None = None
    digest: bytes | None = None
