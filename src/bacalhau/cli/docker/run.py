"""`bacalhau docker run` (spec cli.md 8.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bacalhau.cli.command import Arity, Command
from bacalhau.cli.flag import Flag
from bacalhau.cli.flags.job import JOB_FLAGS, TASK_FLAGS, build_job
from bacalhau.cli.flags.node import OLD_IPFS_FLAGS
from bacalhau.cli.submission import RUNTIME_FLAGS, Runtime, submit
from bacalhau.cli.values import STRING, STRINGS
from bacalhau.errors import UserError
from bacalhau.models.job import SpecConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.cli.session import Session


def run(
    session: Session,
    *,
    arguments: tuple[str, ...],
    workdir: str,
    entrypoint: list[str],
    env: list[str],
    **options: Any,
) -> None:
    """Build a job around an image and submit it."""
    engine = docker_engine(arguments, workdir=workdir, entrypoint=entrypoint, env=env)
    job, warnings = build_job(engine, options, session.given)
    submit(session, job, warnings, Runtime.of(options))


def docker_engine(
    arguments: Sequence[str], *, workdir: str, entrypoint: Sequence[str], env: Sequence[str]
) -> SpecConfig:
    """Return the engine for an image with its parameters; all five are always there."""
    if workdir and not workdir.startswith("/"):
        raise UserError(
            f"invalid docker engine param: 'WorkingDirectory' (\"{workdir}\") "
            "must contain absolute path",
            component="CLI",
        )
    image, *parameters = arguments
    return SpecConfig(
        type="docker",
        params={
            "Image": image,
            "Entrypoint": list(entrypoint) or None,
            "Parameters": parameters,
            "EnvironmentVariables": list(env) or None,
            "WorkingDirectory": workdir,
        },
    )


COMMAND = Command(
    "run",
    run,
    flags=(
        *JOB_FLAGS,
        *TASK_FLAGS,
        *RUNTIME_FLAGS,
        *OLD_IPFS_FLAGS,
        Flag("workdir", STRING, "", "Directory the command starts in.", short="w"),
        Flag("entrypoint", STRINGS, [], "Replaces the image's entrypoint."),
        Flag("env", STRINGS, [], "Environment of the command, as NAME=VALUE.", short="e"),
    ),
    arity=Arity("IMAGE [COMMAND] [ARG...]", 1, None),
    text="Run a container as a job.",
    example="""\
# Print a line
bacalhau docker run ubuntu echo hello

# Flags of the command stand behind --
bacalhau docker run ubuntu -- bash -c 'ls /inputs'

# Read from S3 and publish what the command writes to /outputs
bacalhau docker run -i s3://bucket/data/*:/inputs -p s3://other/results.tar.gz ubuntu \\
  -- bash -c 'wc -l /inputs/* > /outputs/lines'""",
    late_hint="flags of the command belong behind --, as in: docker run IMAGE -- COMMAND -x",
)
