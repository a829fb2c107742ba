"""What ``--config`` may be given: files, keys with values, and flags (spec cli.md 3.2)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bacalhau.config._files import SUFFIXES
from bacalhau.config._names import CODE, near_key
from bacalhau.config.keys import BY_NAME, Key
from bacalhau.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable


def split_arguments(arguments: Iterable[str]) -> tuple[list[Path], list[str]]:
    """Return the files and the assignments among the arguments of ``--config``, in their order.

    Raises:
        UserError: code ``ConfigurationError``; a file that is none.
    """
    files, assignments = [], []
    for argument in arguments:
        if "=" not in argument and argument.lower().endswith(SUFFIXES):
            files.append(_file(argument))
        else:
            assignments.append(argument)
    return files, assignments


def bare_key(name: str) -> Key:
    """Return the key that is named without a value, which sets a flag.

    Raises:
        UserError: code ``ConfigurationError``; it is no key, or one that needs a value.
    """
    key = BY_NAME.get(name.strip().lower())
    if key is not None and isinstance(key.default, bool):
        return key
    if key is not None:
        raise _error(f"{key.name} needs a value", f"write {key.name}=VALUE", key.name)
    if _is_file(name):
        hint = "rename the file, or write KEY=VALUE to set a key"
        raise _error(f"config files must end in .yaml or .yml: {name}", hint, name)
    raise _error(
        f'no matching config key "{name}". Run `bacalhau config list` for a list of valid keys',
        f"{near_key(name)}write KEY=VALUE, KEY for a flag, or the name of a YAML file",
        name,
    )


def _file(argument: str) -> Path:
    try:
        path = Path(argument).expanduser().absolute()
    except RuntimeError as exc:
        raise _error(f"no home directory for {argument}", "name the whole path", argument) from exc
    hint = "name a YAML file that exists, or write KEY=VALUE"
    try:
        if path.is_dir():
            raise _error(f"config file {path} is a directory", hint, argument)
        if not path.exists():
            raise _error(f"config file {path} does not exist", hint, argument)
    except OSError as exc:
        raise _error(f"config file {path} cannot be read: {exc.strerror}", hint, argument) from exc
    return path


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # Not all that is written there can be a name.
        return False


def _error(message: str, hint: str, field: str) -> UserError:
    return UserError(message, code=CODE, hint=hint, component="Config", fields=[field])
