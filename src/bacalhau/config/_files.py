"""Configuration files: what they set, and what in them is set in vain (spec config.md 1.2, 1.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bacalhau.config._casting import cast_data
from bacalhau.config._names import CODE, near_key
from bacalhau.config.keys import BY_NAME, SECTIONS, Key, Value
from bacalhau.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUFFIXES = (".yaml", ".yml")


@dataclass(slots=True)
class FileValues:
    """What configuration files set, later files over earlier ones.

    Attributes:
        values: Values by the names of their keys.
        warnings: Sentences about what has no effect.
    """

    values: dict[str, Value] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def add(self, path: Path) -> None:
        """Read one more file. Entries of maps join those of earlier files.

        Raises:
            UserError: code ``ConfigurationError``, naming the file, the place and the remedy.
        """
        document = read_document(path)
        if not document:
            self.warnings.append(f"configuration file {path} is empty")
            return
        _Reader(path, self).section(document, "")

    def put(self, key: Key, value: Value) -> None:
        """Set a key."""
        old = self.values.get(key.name)
        if key.is_map and isinstance(old, tuple) and isinstance(value, tuple):
            entries = dict(word.split("=", 1) for word in (*old, *value))
            value = tuple(f"{name}={text}" for name, text in entries.items())
        elif key.is_document and old and value:
            value = _joined(str(old), str(value))
        self.values[key.name] = value


def read_document(path: Path) -> dict[str, Any]:
    """Return the content of a configuration file as it is written; empty when there is none.

    Raises:
        UserError: code ``ConfigurationError``; the file cannot be read, or is not YAML.
    """
    from bacalhau.lib.yaml_document import YamlError, load_yaml

    try:
        document = load_yaml(path.read_text(encoding="utf-8"))
    except OSError as exc:
        hint = "name a file that exists and that you may read"
        raise _error(path, f"cannot be read: {exc.strerror}", hint) from exc
    except UnicodeDecodeError as exc:
        raise _error(path, "is not text in UTF-8", "save it as UTF-8") from exc
    except YamlError as exc:
        raise _error(path, f"is not valid YAML: {exc}", "correct that line") from exc
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise _error(path, "has no keys", "write keys as in `bacalhau config list --output yaml`")
    return document


def is_file(path: Path) -> bool:
    """Tell whether the file of a data directory is there.

    Raises:
        UserError: code ``ConfigurationError``; that cannot be found out.
    """
    try:
        return path.is_file()
    except OSError as exc:
        hint = "name a directory that you may read with --data-dir, or in BACALHAU_DIR"
        raise _error(path, f"cannot be read: {exc.strerror}", hint) from exc


class _Reader:
    """Walks through the sections of one file."""

    def __init__(self, path: Path, found: FileValues) -> None:
        self._path = path
        self._found = found
        self._seen: set[str] = set()

    def section(self, content: Mapping[str, Any], prefix: str) -> None:
        for word, data in content.items():
            name = f"{prefix}{word}"
            key = BY_NAME.get(name.lower())
            if key is not None:
                self._key(key, data)
            elif name.lower() in SECTIONS:
                self._subsection(SECTIONS[name.lower()], data)
            else:
                near = near_key(name)
                what = f"{self._path}: {name} is not a configuration key and has no effect"
                self._found.warnings.append(f"{what}; {near}".rstrip("; "))

    def _key(self, key: Key, data: Any) -> None:
        if key.name in self._seen:
            raise _error(self._path, f"sets {key.name} twice", "keep one of the two", key.name)
        self._seen.add(key.name)
        if data is not None:
            self._found.put(key, cast_data(key, data, f"{key.name} in {self._path}"))

    def _subsection(self, name: str, data: Any) -> None:
        if data is None:
            return
        if not isinstance(data, dict):
            raise _error(
                self._path,
                f'has "{data}" for {name}, which is a section of several keys',
                f"write keys below {name}, as `bacalhau config list` shows them",
                name,
            )
        self.section(data, f"{name}.")


def _joined(old: str, new: str) -> str:
    import json

    first, second = json.loads(old), json.loads(new)
    if isinstance(first, dict) and isinstance(second, dict):
        return json.dumps({**first, **second}, ensure_ascii=False, separators=(",", ":"))
    return new


def _error(path: Path, reason: str, hint: str, *fields: str) -> UserError:
    return UserError(
        f"configuration file {path} {reason}",
        code=CODE,
        hint=hint,
        component="Config",
        fields=fields,
    )
