"""One request, as handlers see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import unquote

from starlette.requests import HTTPConnection, Request

from bacalhau.errors import Code, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bacalhau.api.guard import Caller
    from bacalhau.api.parameters import Arguments
    from bacalhau.api.versions import Version

JSON = "application/json"
_IDENTITY = "identity"


@dataclass(frozen=True, slots=True)
class Call:
    """A request with its arguments read."""

    connection: HTTPConnection
    arguments: Arguments
    caller: Caller

    @property
    def reference(self) -> str:
        """The id, or part of one, in the path."""
        return unquote(self.connection.path_params["id"])

    @property
    def name(self) -> str:
        """The name in the path of what has no id."""
        return unquote(self.connection.path_params["name"])

    @property
    def headers(self) -> Mapping[str, str]:
        """The request's headers; names match whatever their case."""
        return self.connection.headers

    @property
    def client_version(self) -> Version | None:
        """The client's version, or None when it does not tell or does not know."""
        version: Version | None = self.connection.state.client_version
        return version

    async def body(self) -> bytes:
        """Return the request's body; empty when there is none.

        Raises:
            UserError: there is one, and it is not declared to be JSON, or to be encoded (code
                ``UnsupportedMediaType``); or it is too large.
        """
        assert isinstance(self.connection, Request), "a WebSocket has no body"
        data = await self.connection.body()
        if data:
            self._check_encoding(self.headers.get("content-encoding", ""))
        declared = self.headers.get("content-type", "")
        if data and not declared.strip().lower().startswith(JSON):
            raise UserError(
                f"a request body must have Content-Type {JSON}, {_contrast(declared)}",
                hint=f"send the header Content-Type: {JSON}",
                component="APIServer",
            )
        return data

    def _check_encoding(self, encoding: str) -> None:
        if encoding.strip().lower() not in ("", _IDENTITY):
            raise UserError(
                f'request bodies with Content-Encoding "{encoding}" are not read',
                code=Code.MEDIA_TYPE,
                hint="send the JSON as it is, without the header Content-Encoding",
                component="APIServer",
            )


def _contrast(declared: str) -> str:
    return f'not "{declared}"' if declared else "but it has none"


def request_id_of(connection: HTTPConnection) -> str:
    """Return the id under which a request is logged."""
    return str(connection.state.request_id)


def is_pretty(connection: HTTPConnection) -> bool:
    """Tell whether the caller wants JSON for people."""
    return any(name.lower() == "pretty" for name in connection.query_params)
