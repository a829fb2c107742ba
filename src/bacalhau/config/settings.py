"""One frozen object with the effective value of every key (spec config.md 1)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bacalhau.config._casting import cast
from bacalhau.config._files import FileValues, is_file
from bacalhau.config._names import CODE, find_key
from bacalhau.config.key import variable_name
from bacalhau.config.keys import KEYS, SECTIONS, Key, Value
from bacalhau.config.sources import bare_key
from bacalhau.errors import UserError
from bacalhau.lib.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

DEFAULT_FILE = "config.yaml"


class Settings:
    """The effective settings. Reading an unknown key is a programming error.

    Attributes:
        files: The configuration files that were read.
        warnings: Sentences about what somebody set in vain.
    """

    def __init__(
        self,
        values: Mapping[str, Value] | None = None,
        *,
        files: Sequence[Path] = (),
        warnings: Sequence[str] = (),
    ) -> None:
        self._values = {key.name: key.default for key in KEYS}
        self._values.update(values or {})
        self.files = tuple(files)
        self.warnings = tuple(warnings)

    @classmethod
    def load(
        cls,
        environment: Mapping[str, str],
        assignments: Sequence[str],
        files: Sequence[Path] = (),
        *,
        is_node: bool = False,
    ) -> Settings:
        """Merge defaults, files, ``BACALHAU_*`` variables and assignments; later ones win.

        An empty variable counts as unset. A key alone sets a flag. Relative data directories are
        taken from the working directory when assigned, and refused in variables and files.
        ``is_node`` adds the variables that only ``serve`` reads.

        Raises:
            UserError: code ``ConfigurationError``, naming the key, the value and the remedy.
        """
        found = FileValues()
        for path in files:
            found.add(path)
        values = {**found.values, **_from_variables(environment, is_node=is_node)}
        _check_data_directory(values.get("DataDir"), may_be_relative=False)
        values |= _from_assignments(assignments)
        _check_data_directory(values.get("DataDir"), may_be_relative=True)
        warnings = [*found.warnings, *_vain_variables(environment)]
        return cls(values, files=files, warnings=warnings)

    @classmethod
    def find(
        cls,
        environment: Mapping[str, str],
        assignments: Sequence[str],
        files: Sequence[Path] = (),
        *,
        is_node: bool = False,
    ) -> Settings:
        """As ``load``; where no files are named, with the one of the data directory if it exists.

        Raises:
            UserError: as ``load``.
        """
        settings = cls.load(environment, assignments, files, is_node=is_node)
        path = None if files else settings.default_file
        if path is None or not is_file(path):
            return settings
        return cls.load(environment, assignments, [path], is_node=is_node)

    def replaced(self, values: Mapping[str, Value]) -> Settings:
        """Return the same settings but for some keys."""
        merged = {**self._values, **values}
        return Settings(merged, files=self.files, warnings=self.warnings)

    def effective(self, name: str) -> Value:
        """Return a setting of any type, the data directory as an absolute path where it can be."""
        if name == "DataDir" and self.default_file is not None:
            return str(self.data_directory)
        return self._values[name]

    def text(self, name: str) -> str:
        """Return a text setting."""
        value = self._values[name]
        assert isinstance(value, str), name
        return value

    def integer(self, name: str) -> int:
        """Return a whole-number setting."""
        value = self._values[name]
        assert isinstance(value, int), name
        return value

    def flag(self, name: str) -> bool:
        """Return a yes-or-no setting."""
        value = self._values[name]
        assert isinstance(value, bool), name
        return value

    def words(self, name: str) -> tuple[str, ...]:
        """Return a list setting."""
        value = self._values[name]
        assert isinstance(value, tuple), name
        return value

    def pairs(self, name: str) -> dict[str, str]:
        """Return a map setting."""
        return dict(word.split("=", 1) for word in self.words(name))

    def seconds(self, name: str) -> float:
        """Return a duration setting, in seconds."""
        return parse_duration(self.text(name))

    @property
    def data_directory(self) -> Path:
        """The absolute folder of everything that is kept.

        Raises:
            UserError: ``~`` is used, and there is no home directory.
        """
        try:
            return Path(self.text("DataDir")).expanduser().absolute()
        except RuntimeError as exc:
            raise _data_directory_error(f"no home directory for {self.text('DataDir')}") from exc

    @property
    def default_file(self) -> Path | None:
        """The file that is read when none is named, or None when there is no home directory."""
        try:
            return self.data_directory / DEFAULT_FILE
        except UserError:
            return None

    @property
    def without_effect(self) -> list[str]:
        """The keys that are set although nothing reads them yet."""
        return [
            key.name for key in KEYS if key.is_pending and self._values[key.name] != key.default
        ]


def _from_variables(environment: Mapping[str, str], *, is_node: bool) -> dict[str, Value]:
    values = {}
    for key in KEYS:
        names = (key.variable, *key.aliases, *(key.node_aliases if is_node else ()))
        variable = next((name for name in names if environment.get(name)), "")
        if variable:
            values[key.name] = cast(key, environment[variable], f"the variable {variable}")
    return values


def _from_assignments(assignments: Iterable[str]) -> dict[str, Value]:
    values = {}
    for assignment in assignments:
        key, text = _split(assignment)
        values[key.name] = cast(key, text, f"{key.name}=VALUE")
    return values


def _split(assignment: str) -> tuple[Key, str]:
    name, equals, text = assignment.partition("=")
    return (find_key(name), text) if equals else (bare_key(name), "true")


def _vain_variables(environment: Mapping[str, str]) -> list[str]:
    known = {name for key in KEYS for name in key.aliases}
    names = {variable_name(section): section for section in SECTIONS.values()}
    return [
        f"the variable {name} has no effect: {section} is a section, not a configuration key"
        for name, section in names.items()
        if environment.get(name) and name not in known
    ]


def _check_data_directory(value: Value | None, *, may_be_relative: bool) -> None:
    if value is None:
        return
    text = str(value)
    if not text:
        raise _data_directory_error("the data directory is empty")
    if "$" in text:
        raise _data_directory_error(f'"{text}" contains $: variables are not expanded')
    if not may_be_relative and not text.startswith(("/", "~")):
        raise _data_directory_error(f'"{text}" is a relative path')


def _data_directory_error(reason: str) -> UserError:
    return UserError(
        f"invalid DataDir: {reason}",
        code=CODE,
        hint="give an absolute path, or one that starts with ~/",
        component="Config",
        fields=["DataDir"],
    )
