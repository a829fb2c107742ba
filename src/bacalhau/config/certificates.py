"""Whose certificates are trusted, where the environment says so."""

from __future__ import annotations

import os
import ssl

from bacalhau.errors import Code, UserError

_BUNDLE = "AWS_CA_BUNDLE"


def aws_certificates(component: str) -> ssl.SSLContext | None:
    """Return the certificates that ``AWS_CA_BUNDLE`` names, or None where it is not set.

    They are trusted in place of the system's, as other AWS programs do.

    Raises:
        UserError: code ``ConfigurationError``: the file cannot be used; ``component`` wanted it.
    """
    bundle = os.environ.get(_BUNDLE)
    if not bundle:
        return None
    try:
        return ssl.create_default_context(cafile=bundle)
    except OSError as exc:  # SSLError is one
        raise UserError(
            f"{_BUNDLE} cannot be read: {bundle}: {exc.strerror or exc}",
            code=Code.CONFIGURATION,
            hint="set it to a file of certificates in PEM form, or unset it",
            component=component,
        ) from exc
