"""Which installation sends a request, as far as that is known (spec config.md 8.2, 8.3).

Commands only read: the node writes ``system_metadata.yaml``, and installers the other file.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_INSTANCE = re.compile(r"""^InstanceID:\s*["']?([!-~]{1,128}?)["']?\s*$""", re.MULTILINE)
_INSTALLATION = re.compile(r"\s*([!-~]{1,128})\s*")


def identity_headers(directory: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the two headers that name this machine and this installation, where known."""
    instance = _INSTANCE.search(_text(directory / "system_metadata.yaml"))
    installation = _INSTALLATION.fullmatch(_text(_installation_file(environment)))
    found = {
        "X-Bacalhau-InstanceID": instance[1] if instance else "",
        "X-Bacalhau-InstallationID": installation[1] if installation else "",
    }
    return {name: value for name, value in found.items() if value}


def _installation_file(environment: Mapping[str, str]) -> Path:
    home = environment.get("HOME", "")
    folder = environment.get("XDG_CONFIG_HOME") or (f"{home}/.config" if home else "/nonexistent")
    return Path(folder) / "bacalhau" / "installation_id"


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
