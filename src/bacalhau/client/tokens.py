"""Tokens that a server has given, kept between calls in ``tokens.json`` (spec cli.md 7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.client.failures import COMPONENT
from bacalhau.errors import Code, UserError

if TYPE_CHECKING:
    from pathlib import Path

_MODE = 0o600
_DIRECTORY_MODE = 0o700


class TokenFile:
    """A file of tokens by the addresses of their servers; shared with the original program."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def token(self, url: str) -> str:
        """Return the token for a server, or an empty text.

        Raises:
            UserError: code ``ConfigurationError``: the file cannot be read.
        """
        return self._read().get(url, "")

    def put(self, url: str, token: str) -> None:
        """Keep a token; an empty one is forgotten.

        Raises:
            UserError: code ``ConfigurationError``: the file cannot be read.
            OSError: it cannot be written.
        """
        from bacalhau.lib.files import write_atomically

        tokens = self._read()
        if tokens.get(url, "") == token:
            return
        tokens[url] = token
        kept = {place: text for place, text in tokens.items() if text}
        self._path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        write_atomically(self._path, msgspec.json.encode(kept), _MODE)

    def _read(self) -> dict[str, str]:
        try:
            content = self._path.read_bytes()
            return msgspec.json.decode(content, type=dict[str, str]) if content.strip() else {}
        except (FileNotFoundError, NotADirectoryError):
            return {}
        except OSError as exc:
            raise self._unusable(exc.strerror or str(exc)) from exc
        except msgspec.DecodeError as exc:
            raise self._unusable(f"it is not an object of texts: {exc}") from exc

    def _unusable(self, reason: str) -> UserError:
        return UserError(
            f"the tokens in {self._path} cannot be read: {reason}",
            code=Code.CONFIGURATION,
            hint="make the file readable, or remove it and log in again",
            component=COMPONENT,
        )
