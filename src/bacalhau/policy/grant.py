"""What somebody may do: permissions by namespace, as tokens carry them (spec security.md 4.3)."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ALL_NAMESPACES = "*"


class Permission(enum.IntFlag):
    """What may be done with the jobs of a namespace. The numbers are those of tokens."""

    READ = 1
    WRITE = 2
    DOWNLOAD = 4
    CANCEL = 8


EVERYBODY = Permission.READ | Permission.DOWNLOAD
OWNER = EVERYBODY | Permission.WRITE | Permission.CANCEL


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What one caller may do.

    Attributes:
        subject: Who it is; empty where many share a secret.
        namespaces: Permissions by namespace; those of ``*`` hold in every one.
        is_admin: May decide which nodes take part.
    """

    subject: str = ""
    namespaces: Mapping[str, Permission] = field(default_factory=dict)
    is_admin: bool = False

    def permission(self, namespace: str) -> Permission:
        """Return what may be done in a namespace."""
        nothing = Permission(0)
        everywhere = self.namespaces.get(ALL_NAMESPACES, nothing)
        return everywhere | self.namespaces.get(namespace, nothing)

    def where(self, permission: Permission) -> list[str]:
        """Return the namespaces in which something may be done, sorted."""
        return sorted(name for name, found in self.namespaces.items() if permission in found)


def own_namespace(client_id: str) -> Grant:
    """Return what anybody with a key may do: read everything, and anything of its own."""
    return Grant(subject=client_id, namespaces={ALL_NAMESPACES: EVERYBODY, client_id: OWNER})
