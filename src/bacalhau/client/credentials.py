"""What a client shows a server: the token that it has, or a new one when that is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.client.login import Exchange, Prompter
    from bacalhau.client.tokens import TokenFile


class Credentials:
    """Finds tokens in a file, and gets new ones by logging in."""

    def __init__(self, tokens: TokenFile, key_file: Path, prompter: Prompter) -> None:
        self._tokens = tokens
        self._key_file = key_file
        self._prompter = prompter
        self._current: dict[str, str] = {}

    def token(self, url: str) -> str:
        """Return the token for a server, or an empty text.

        Raises:
            UserError: code ``ConfigurationError``: the file of tokens cannot be read.
        """
        if url not in self._current:
            self._current[url] = self._tokens.token(url)
        return self._current[url]

    def renew(self, url: str, exchange: Exchange) -> str:
        """Log in and return the new token, or an empty text when nobody wants to log in.

        A token that the server does not accept any more is forgotten. One that cannot be kept
        counts for as long as this object lives.

        Raises:
            BacalhauError: the server cannot be asked, or does not let us in.
        """
        from bacalhau.client.login import log_in

        self._keep(url, "")
        token = log_in(exchange, self._key_file, self._prompter)
        self._keep(url, token)
        return token

    def _keep(self, url: str, token: str) -> None:
        self._current[url] = token
        try:
            self._tokens.put(url, token)
        except OSError as exc:
            self._prompter.tell(f"The token cannot be kept for later calls: {exc}")
