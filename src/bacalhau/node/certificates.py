"""The certificate with which the API speaks TLS (spec config.md 3.2, security.md 8)."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from bacalhau.errors import Code, UserError
from bacalhau.lib.files import write_atomically

if TYPE_CHECKING:
    from bacalhau.config import Settings
    from bacalhau.node.roles import Host
    from bacalhau.ports import Clock

CERTIFICATE_FILE = "api_tls.crt"
KEY_FILE = "api_tls.key"
_LIFETIME = timedelta(days=365)
_RENEWED_BEFORE = timedelta(days=30)
_COMPONENT = "APIServer"


class Certificate(NamedTuple):
    """Where a certificate and its private key are.

    ``is_self_signed``: nobody else vouches for it, so that clients have to name it.
    """

    certificate: Path
    key: Path
    is_self_signed: bool = False


def api_certificate(host: Host) -> Certificate | None:
    """Return what the API shows; None where it speaks plain HTTP.

    A certificate that is made here lies in the data directory and stays the same for most of a
    year, so that clients can name it as ``API.TLS.CAFile``.

    Raises:
        UserError: code ``ConfigurationError``: the files do not fit. The API is never served in
            plain text where TLS is asked for.
    """
    settings = host.settings
    if settings.text("API.TLS.AutoCert"):
        raise _error(
            "certificates by ACME (API.TLS.AutoCert) are not supported yet", "API.TLS.AutoCert"
        )
    given = settings.text("API.TLS.CertFile"), settings.text("API.TLS.KeyFile")
    if all(given):
        found = Certificate(Path(given[0]).expanduser(), Path(given[1]).expanduser())
        _check(found)
        return found._replace(is_self_signed=_is_self_signed(found.certificate))
    if any(given):
        missing = "API.TLS.KeyFile" if given[0] else "API.TLS.CertFile"
        raise _error(f"{missing} is missing: a certificate and its key belong together", missing)
    if not settings.flag("API.TLS.SelfSigned"):
        return None
    own = Certificate(
        host.directory / CERTIFICATE_FILE, host.directory / KEY_FILE, is_self_signed=True
    )
    if not _is_good(own, settings, host.clock):
        _make(own, settings, host.clock)
    return own


def _check(found: Certificate) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for path, key in ((found.certificate, "API.TLS.CertFile"), (found.key, "API.TLS.KeyFile")):
        try:
            path.read_bytes()
        except OSError as exc:
            raise _error(f"{path} cannot be read: {exc.strerror}", key) from exc
    try:
        context.load_cert_chain(found.certificate, found.key, password="")
    except (ssl.SSLError, ValueError) as exc:
        raise _error(
            f"{found.certificate} and {found.key} are no certificate with its unencrypted key, "
            f"in PEM: {exc}",
            "API.TLS.CertFile",
        ) from exc


def _is_self_signed(path: Path) -> bool:
    from cryptography import x509

    try:
        first = x509.load_pem_x509_certificates(path.read_bytes())[0]
    except (OSError, ValueError):
        return False
    return first.issuer == first.subject


def _names(settings: Settings) -> tuple[list[str], list[str]]:
    """Return the names and the addresses under which the API is reached."""
    names, addresses = {"localhost", socket.gethostname()}, {"127.0.0.1", "::1"}
    listening = settings.text("API.Host")
    try:
        address = ipaddress.ip_address(listening)
    except ValueError:
        names |= {listening} if listening else set()
    else:
        addresses |= set() if address.is_unspecified else {str(address)}
    return sorted(names), sorted(addresses)


def _is_good(own: Certificate, settings: Settings, clock: Clock) -> bool:
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(own.certificate.read_bytes())
        _check(own)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, UserError, x509.ExtensionNotFound):
        return False
    known = set(names.get_values_for_type(x509.DNSName))
    places = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    wanted, wanted_places = _names(settings)
    now = _now(clock)
    # Made with a clock that was ahead, it would be refused until that moment.
    is_fresh = found.not_valid_before_utc <= now < found.not_valid_after_utc - _RENEWED_BEFORE
    return is_fresh and set(wanted) <= known and set(wanted_places) <= places


def _make(own: Certificate, settings: Settings, clock: Clock) -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    title = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Bacalhau API")])
    names, addresses = _names(settings)
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    now = _now(clock)
    made = (
        x509.CertificateBuilder()
        .subject_name(title)
        .issuer_name(title)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        write_atomically(own.key, pem, 0o600)
        write_atomically(own.certificate, made.public_bytes(serialization.Encoding.PEM), 0o644)
    except OSError as exc:
        file = exc.filename2 or own.certificate
        raise _error(f"{file} cannot be written: {exc.strerror}", "API.TLS.SelfSigned") from exc


def _now(clock: Clock) -> datetime:
    return datetime.fromtimestamp(clock.now_ns() / 1e9, tz=UTC)


def _error(reason: str, key: str) -> UserError:
    return UserError(
        f"the API cannot speak TLS: {reason}",
        code=Code.CONFIGURATION,
        hint="set API.TLS.CertFile and API.TLS.KeyFile, or API.TLS.SelfSigned; or none of these "
        "for plain HTTP",
        component=_COMPONENT,
        fields=[key],
    )
