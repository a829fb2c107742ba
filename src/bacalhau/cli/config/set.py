"""`bacalhau config set` (spec cli.md 8.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.command import Arity, Command
from bacalhau.errors import Code, UserError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bacalhau.cli.session import Session

_NEW_FILE_MODE = 0o644
_DIRECTORY_MODE = 0o700
_INDENT = 4


def run(session: Session, *, arguments: tuple[str, ...]) -> None:
    """Set one key in a configuration file; what else the file says stays."""
    name, text = _assignment(session, arguments)
    path = file_to_change(session)
    session.say(f"Writing config to {path}")
    write_keys(session, path, {name: text})


def _assignment(session: Session, arguments: tuple[str, ...]) -> tuple[str, str]:
    """Return the name and the text of the value. Values behind the first make a list."""
    name, equals, text = arguments[0].partition("=")
    if equals:
        return name, text
    if len(arguments) == 1:
        raise UserError(
            "must provide both key and value, or key=value",
            code=Code.CONFIGURATION,
            hint=f"write: config set {name or 'KEY'}=VALUE",
            component="CLI",
        )
    session.say("DEPRECATED: use key=value instead of space-separated key value")
    return name, ",".join(arguments[1:])


def file_to_change(session: Session) -> Path:
    """Return the file to change: the one that ``--config`` names, else that of the data directory.

    What that file says is not looked at, so that a mistake in it can be put right.

    Raises:
        UserError: code ``ConfigurationError``: what ``--config`` names is not one file.
    """
    from bacalhau.config import Settings
    from bacalhau.config.sources import split_arguments

    files, assignments = split_arguments(session.config_arguments)
    if assignments:
        raise _refusal(f"config file must end with '.yaml' or '.yml': {assignments[0]}")
    if len(files) > 1:
        raise _refusal("single config file can be set")
    if files:
        return files[0]
    settings = Settings.load(session.environment, session.flag_assignments)
    return settings.data_directory / "config.yaml"


def write_keys(session: Session, path: Path, assignments: Mapping[str, str]) -> None:
    """Set keys in a file, all or none of them; what else it says stays, but for comments.

    Raises:
        UserError: code ``ConfigurationError``: a key or a value is wrong, or the file.
    """
    from bacalhau.cli.yaml_text import dump_yaml
    from bacalhau.config.documents import read_assignment, read_document, with_key
    from bacalhau.lib.files import write_atomically

    values = [read_assignment(name, text) for name, text in assignments.items()]
    try:
        is_new = not path.exists()
        document = {} if is_new else read_document(path)
        for key, value in values:
            document = with_key(document, key, value)
        content = dump_yaml(document, indent=_INDENT)
        if is_new:
            path.parent.mkdir(mode=_DIRECTORY_MODE, parents=True, exist_ok=True)
        elif _has_comments(path):
            session.note(f"Comments in {path} are not kept")
        mode = _NEW_FILE_MODE if is_new else path.stat().st_mode & 0o777
        write_atomically(path, content.encode(), mode)
    except OSError as exc:
        raise UserError(
            f"{path} cannot be written: {exc.strerror}",
            code=Code.CONFIGURATION,
            hint="make it writable, or name another with --config FILE.yaml",
            component="CLI",
        ) from exc


def _has_comments(path: Path) -> bool:
    lines = path.read_text(encoding="utf-8").splitlines()
    return any(line.lstrip().startswith("#") or " #" in line for line in lines)


def _refusal(message: str) -> UserError:
    return UserError(
        message,
        code=Code.CONFIGURATION,
        hint="--config names the one file to change here",
        component="CLI",
    )


COMMAND = Command(
    "set",
    run,
    arity=Arity(usage="KEY=VALUE", minimum=1, maximum=None),
    text="Set one key in the configuration file.",
    example="""\
# Offer half of this machine to jobs
bacalhau config set Compute.AllocatedCapacity.CPU=50%""",
)
