"""What a data directory says about itself: ``system_metadata.yaml`` (spec config.md 7).

The file and its names are those of v1.5, whose programs read it too. Its layout, version 4, is the
only one that is opened; ``repo.version`` says the same for tools that know nothing newer.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bacalhau.errors import Code, UserError
from bacalhau.lib.files import write_atomically
from bacalhau.lib.yaml_document import YamlError, load_yaml

if TYPE_CHECKING:
    from bacalhau.ports import Ids

FILE = "system_metadata.yaml"
VERSION_FILE = "repo.version"
VERSION = 4
NEVER = "0001-01-01T00:00:00Z"
_MODE = 0o600
_PROGRAMS = {1: "up to 1.1.4", 2: "up to 1.2.1", 3: "up to 1.4.0", 5: "of 1.7 or newer"}
_MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))


@dataclass(frozen=True, slots=True)
class Metadata:
    """The content of the file.

    Attributes:
        instance_id: Stands for this machine; sent along by clients that use the directory.
        node_name: The name that its node was given at its first start; empty before.
        last_update_check: When a newer version was looked for, in RFC 3339.
    """

    instance_id: str = ""
    node_name: str = ""
    last_update_check: str = NEVER


def open_metadata(directory: Path, ids: Ids) -> Metadata:
    """Return what an existing directory says about itself; a new one is marked as ours first.

    Raises:
        UserError: code ``ConfigurationError``: the layout is another one, or a file cannot be used.
    """
    document = _read(directory)
    version = _version(directory, document)
    if version is not None and version != VERSION:
        raise _other_layout(directory, version)
    found = Metadata(
        instance_id=_text(document, "InstanceID"),
        node_name=_text(document, "NodeName"),
        last_update_check=_text(document, "LastUpdateCheck") or NEVER,
    )
    if not found.instance_id:
        found = replace(found, instance_id=_instance_id(ids))
        write_metadata(directory, found)
    if not (directory / VERSION_FILE).exists():
        _write(directory / VERSION_FILE, json.dumps({"Version": VERSION}))
    return found


def write_metadata(directory: Path, metadata: Metadata) -> None:
    """Replace the file.

    Raises:
        UserError: code ``ConfigurationError``: it cannot be written.
    """
    lines = (
        f"InstanceID: {json.dumps(metadata.instance_id)}",
        f"LastUpdateCheck: {metadata.last_update_check}",
        f"NodeName: {json.dumps(metadata.node_name)}",
        f"RepoVersion: {VERSION}",
    )
    _write(directory / FILE, "\n".join(lines) + "\n")


def _read(directory: Path) -> dict[str, Any]:
    path = directory / FILE
    if not path.exists():
        return {}
    try:
        document = load_yaml(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise _unusable(path, exc.strerror or str(exc)) from exc
    except (YamlError, UnicodeDecodeError) as exc:
        raise _unusable(path, f"it is not YAML: {exc}") from exc
    if not isinstance(document, dict):
        raise _unusable(path, "it has no keys")
    return {str(key).lower(): value for key, value in document.items()}


def _version(directory: Path, document: dict[str, Any]) -> int | None:
    """Return the version that the directory tells, or None when it is new."""
    if document:
        return _number(directory / FILE, document.get("repoversion"))
    path = directory / VERSION_FILE
    if not path.exists():
        return None
    try:
        old = json.loads(path.read_text(encoding="utf-8"))
    except OSError as exc:
        raise _unusable(path, exc.strerror or str(exc)) from exc
    except ValueError as exc:
        raise _unusable(path, "it is not JSON") from exc
    return _number(path, old.get("Version") if isinstance(old, dict) else None)


def _number(path: Path, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise _unusable(path, "it tells no version")
    return value


def _text(document: dict[str, Any], name: str) -> str:
    value = document.get(name.lower())
    return "" if value is None else str(value)


def _instance_id(ids: Ids) -> str:
    """Return the hash of the machine's own identifier, else of chance."""
    for path in _MACHINE_IDS:
        try:
            machine = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if machine:
            return hashlib.sha256(machine.encode()).hexdigest()
    return hashlib.sha256(ids.uuid().encode()).hexdigest()


def _write(path: Path, text: str) -> None:
    try:
        write_atomically(path, text.encode(), _MODE)
    except OSError as exc:
        raise UserError(
            f"{path} cannot be written: {exc.strerror}",
            code=Code.CONFIGURATION,
            hint="make the data directory writable, or name another with --data-dir",
            component="DataDir",
            fields=["DataDir"],
        ) from exc


def _other_layout(directory: Path, version: int) -> UserError:
    programs = _PROGRAMS.get(version, "that is not known here")
    advice = (
        "let Bacalhau v1.5 open it once, which converts it"
        if version < VERSION
        else "use a program of that version for it"
    )
    return UserError(
        f"data directory {directory} has layout {version}, of a Bacalhau {programs}; "
        f"this program knows layout {VERSION}, of 1.5 and 1.6",
        code=Code.CONFIGURATION,
        hint=f"{advice}; or name another directory with --data-dir",
        component="DataDir",
        fields=["DataDir"],
    )


def _unusable(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} cannot be used: {reason}",
        code=Code.CONFIGURATION,
        hint="restore the file; or remove it, and the node gets a new name unless --name gives the "
        "old one; or name another directory with --data-dir",
        component="DataDir",
        fields=["DataDir"],
    )
