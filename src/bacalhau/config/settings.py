"""One frozen object with the effective value of every key (spec config.md 1)."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from bacalhau.config._casting import CODE, cast
from bacalhau.config.keys import BY_NAME, KEYS, Key, Value
from bacalhau.errors import UserError
from bacalhau.lib.units import parse_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ALIASES = {"DataDir": "BACALHAU_DIR", "Logging.Level": "LOG_LEVEL"}
"""Variables that count where the one derived from the key's name is not set."""


class Settings:
    """The effective settings. Reading an unknown key is a programming error."""

    def __init__(self, values: Mapping[str, Value] | None = None) -> None:
        self._values = {key.name: key.default for key in KEYS}
        self._values.update(values or {})

    @classmethod
    def load(cls, environment: Mapping[str, str], assignments: Iterable[str]) -> Settings:
        """Merge defaults, ``BACALHAU_*`` variables and ``KEY=VALUE`` assignments; later ones win.

        An empty variable counts as unset. A key alone sets a flag. Relative data directories are
        taken from the working directory when assigned, and refused in a variable.

        Raises:
            UserError: code ``ConfigurationError``, naming the key, the value and the remedy.
        """
        values: dict[str, Value] = {}
        for key in KEYS:
            for variable in (key.variable, _ALIASES.get(key.name, "")):
                text = environment.get(variable, "")
                if text:
                    values[key.name] = cast(key, text, f"the variable {variable}")
                    break
        _check_data_directory(values.get("DataDir"), may_be_relative=False)
        for assignment in assignments:
            key, text = _split(assignment)
            values[key.name] = cast(key, text, f"{key.name}=VALUE")
        _check_data_directory(values.get("DataDir"), may_be_relative=True)
        return cls(values)

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


def _split(assignment: str) -> tuple[Key, str]:
    name, equals, text = assignment.partition("=")
    key = BY_NAME.get(name.strip().lower())
    if key is None:
        raise UserError(
            f'"{name}" is not a valid config key',
            code=CODE,
            hint=_nearest(name),
            component="Config",
            fields=[name],
        )
    if equals:
        return key, text
    if isinstance(key.default, bool):
        return key, "true"
    raise UserError(
        f"{key.name} needs a value",
        code=CODE,
        hint=f"write {key.name}=VALUE",
        component="Config",
        fields=[key.name],
    )


def _nearest(name: str) -> str:
    near = get_close_matches(name.strip().lower(), list(BY_NAME), n=1)
    return f"did you mean {BY_NAME[near[0]].name}?" if near else "see the table of keys in the docs"


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
