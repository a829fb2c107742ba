"""Files that say who may log in, and what they may do then.

They take the place of the Rego programs of v1.5, and say the same things as data: which keys
(``Clients``), which users with passwords (``Users``), or which shared secret (``Secret``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeVar

import msgspec

from bacalhau.errors import Code, UserError
from bacalhau.lib.yaml_document import YamlError, load_yaml
from bacalhau.policy.grant import ALL_NAMESPACES, EVERYBODY, OWNER, Grant, Permission
from bacalhau.policy.passwords import salt_bytes

if TYPE_CHECKING:
    from pathlib import Path

_WORDS = {
    "read": Permission.READ,
    "write": Permission.WRITE,
    "download": Permission.DOWNLOAD,
    "cancel": Permission.CANCEL,
    "all": OWNER,
}
_ClientID = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
_Text = Annotated[str, msgspec.Meta(min_length=1)]


class _Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="pascal"):
    """What all entries have. Without ``Namespaces``: reading everything, and one's own."""

    namespaces: dict[str, list[str]] | None = None
    admin: bool = False

    def grant(self, subject: str, own: str) -> Grant:
        if self.namespaces is None:
            namespaces = {ALL_NAMESPACES: EVERYBODY, own: OWNER}
        else:
            namespaces = {name: _permission(words) for name, words in self.namespaces.items()}
        return Grant(subject=subject, namespaces=namespaces, is_admin=self.admin)


class _Client(_Rule, frozen=True, kw_only=True, rename={"id": "ID"}):
    id: _ClientID


class _User(_Rule, frozen=True, kw_only=True):
    name: _Text
    password: tuple[_Text, _Text]


class _Secret(_Rule, frozen=True, kw_only=True):
    secret: _Text


class _ClientFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    clients: list[_Client]


class _AskFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    users: list[_User] | None = None
    secret: _Secret | None = None


F = TypeVar("F", _ClientFile, _AskFile)


class User(msgspec.Struct, frozen=True):
    """Somebody with a password: its hash and salt, both base64, and what it gives."""

    hash: str
    salt: str
    grant: Grant


class Asked(msgspec.Struct, frozen=True):
    """Who may log in by answering questions: users by name, or whoever knows the secret."""

    users: dict[str, User]
    secret: str = ""
    secret_grant: Grant = Grant()


def read_clients(path: Path) -> dict[str, Grant]:
    """Return what each client, by the id of its key, may do.

    Raises:
        UserError: code ``ConfigurationError``, naming file, place and remedy.
    """
    entries = _read(path, _ClientFile).clients
    return {entry.id: _grant(path, entry, entry.id, entry.id) for entry in entries}


def read_asked(path: Path) -> Asked:
    """Return who may log in with which answers.

    Raises:
        UserError: code ``ConfigurationError``, naming file, place and remedy.
    """
    content = _read(path, _AskFile)
    if (content.users is None) == (content.secret is None):
        raise _unusable(path, "it must have either Users or Secret")
    if content.secret is not None:
        everything = _Rule(namespaces={ALL_NAMESPACES: ["all"]}, admin=content.secret.admin)
        rule = everything if content.secret.namespaces is None else content.secret
        return Asked({}, content.secret.secret, _grant(path, rule, "", ""))
    users = {}
    for entry in content.users or ():
        kept, salt = entry.password
        try:
            salt_bytes(salt)
        except ValueError as exc:
            raise _unusable(path, f"user {entry.name}: {exc}") from exc
        users[entry.name] = User(kept, salt, _grant(path, entry, entry.name, entry.name))
    return Asked(users)


def _grant(path: Path, rule: _Rule, subject: str, own: str) -> Grant:
    try:
        return rule.grant(subject, own)
    except ValueError as exc:
        raise _unusable(path, str(exc)) from exc


def _permission(words: list[str]) -> Permission:
    found = Permission(0)
    for word in words:
        if word.lower() not in _WORDS:
            raise ValueError(f'"{word}" is no permission: there are {", ".join(_WORDS)}')
        found |= _WORDS[word.lower()]
    return found


def _read(path: Path, wanted: type[F]) -> F:
    try:
        return msgspec.convert(load_yaml(path.read_text(encoding="utf-8")), wanted)
    except OSError as exc:
        raise _unusable(path, f"it cannot be read: {exc.strerror}") from exc
    except (YamlError, UnicodeDecodeError) as exc:
        raise _unusable(path, f"it is not YAML: {exc}") from exc
    except msgspec.ValidationError as exc:
        raise _unusable(path, str(exc)) from exc


def _unusable(path: Path, reason: str) -> UserError:
    return UserError(
        f"policy {path} cannot be used: {reason}",
        code=Code.CONFIGURATION,
        hint="correct the file; docs/how-to/secure-the-api.md shows what it may hold",
        component="Auth",
        fields=["API.Auth.Methods"],
    )
