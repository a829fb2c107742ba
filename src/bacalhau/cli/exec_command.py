"""`bacalhau exec`: programs in an image that is chosen by their kind (spec cli.md 8.13)."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.flags.job import JOB_FLAGS, TASK_FLAGS, build_job
from bacalhau.cli.submission import RUNTIME_FLAGS, Runtime, submit
from bacalhau.cli.values import STRING
from bacalhau.errors import UserError
from bacalhau.models.job import SpecConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bacalhau.cli.session import Session

_PYTHON_IMAGES = {"3.11": "bacalhauproject/exec-python-3.11:0.5"}
_DUCKDB_IMAGE = "bacalhauproject/exec-duckdb:0.2"
_NAMES = {"python": "Python", "duckdb": "DuckDB"}
_TASK_NAME = "execute"


def run(
    session: Session, *, arguments: tuple[str, ...], code: str, version: str, **options: Any
) -> None:
    """Build a job around a kind of program and submit it."""
    kind, rest = arguments[0].lower(), arguments[1:]
    if kind not in _NAMES:
        raise UserError(
            f"the job type '{arguments[0]}' is not supported. "
            f"Supported types: {', '.join(sorted(_NAMES))}",
            hint="`docker run IMAGE` runs any other program",
            component="CLI",
        )
    if version and kind != "python":
        raise UserError(f"--version has no meaning for the job type {kind}", component="CLI")
    engine = python_engine(rest, version) if kind == "python" else duckdb_engine(rest)
    options = _with_defaults(options, kind, session.given)
    if code:
        from bacalhau.cli.flags.code import read_code

        options["input"] = [read_code(code), *options["input"]]
    job, warnings = build_job(engine, options, session.given)
    submit(session, job, warnings, Runtime.of(options))


def python_engine(arguments: Sequence[str], version: str) -> SpecConfig:
    """Return the engine for Python. The launcher of the image passes all on to a shell.

    Raises:
        UserError: there is no image for this version.
    """
    image = _PYTHON_IMAGES.get(version or "3.11")
    if image is None:
        raise UserError(
            f"unsupported python version: {version}. "
            f"Supported versions: {', '.join(_PYTHON_IMAGES)}",
            component="CLI",
        )
    quoted = map(shlex.quote, arguments)
    return _engine(image, ["/build/launcher.py", "--", "python", *quoted])


def duckdb_engine(arguments: Sequence[str]) -> SpecConfig:
    """Return the engine for DuckDB, which gets its arguments as they are."""
    return _engine(_DUCKDB_IMAGE, ["duckdb", *arguments])


def _engine(image: str, parameters: list[str]) -> SpecConfig:
    return SpecConfig(
        type="docker",
        params={
            "Image": image,
            "Entrypoint": [],
            "Parameters": parameters,
            "EnvironmentVariables": None,
            "WorkingDirectory": "",
        },
    )


def _with_defaults(options: Mapping[str, Any], kind: str, given: frozenset[str]) -> dict[str, Any]:
    own = {"name": _NAMES[kind], "task-name": _TASK_NAME}
    chosen = {key.replace("-", "_"): value for key, value in own.items() if key not in given}
    return {**options, **chosen}


COMMAND = Command(
    "exec",
    run,
    flags=(
        *JOB_FLAGS,
        *TASK_FLAGS,
        *RUNTIME_FLAGS,
        Flag("code", STRING, "", "File or directory to put into /code, up to 10 MB."),
        Flag("version", STRING, "", "Version of Python: 3.11."),
    ),
    arity=Arity("JOBTYPE [ARG...]", 1, None),
    text="Run a Python or DuckDB program as a job. JOBTYPE is python or duckdb.",
    example="""\
# Run a line of Python
bacalhau exec python -- -c "print(1)"

# Run a program that needs files of its own, and may fetch packages
bacalhau exec --code app --network full python app.py

# Ask a question about data
bacalhau exec -i s3://bucket/data.csv:/inputs --code=query.sql duckdb -- -init /code/query.sql""",
    late_hint="flags of the program belong behind --, as in: exec python -- -c 'print(1)'",
)
