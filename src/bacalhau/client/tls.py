"""Whom a client trusts (spec cli.md 7, config.md 3.2)."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path

from bacalhau.client.failures import COMPONENT
from bacalhau.errors import Code, UserError


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose certificates are accepted.

    Attributes:
        ca_file: Certificates to trust in place of the system's; empty for those.
        is_blind: Accept any certificate. Has no effect beside ``ca_file``.
    """

    ca_file: str = ""
    is_blind: bool = False

    def context(self) -> ssl.SSLContext:
        """Return what the ssl module wants.

        Raises:
            UserError: code ``ConfigurationError``: the file of certificates cannot be used.
        """
        path = Path(self.ca_file).expanduser() if self.ca_file else None
        try:
            context = ssl.create_default_context(cafile=path)
        except OSError as exc:  # SSLError is one
            raise UserError(
                f"the certificates in {self.ca_file} cannot be used: {exc.strerror or exc}",
                code=Code.CONFIGURATION,
                hint="name a file of certificates in PEM with -c API.TLS.CAFile=FILE",
                component=COMPONENT,
                fields=["API.TLS.CAFile"],
            ) from exc
        if self.is_blind and not self.ca_file:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
