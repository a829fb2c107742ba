"""Parameters of the Docker engine (spec engines.md 2.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.engines._docker_reference import parse_reference
from bacalhau.engines._env_rules import env_problems
from bacalhau.models.decode import decode_params
from bacalhau.models.params import ParamsModel
from bacalhau.models.problems import Problem, raise_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.models import SpecConfig


class DockerParams(ParamsModel, frozen=True, kw_only=True):
    """What to run.

    ``entrypoint`` None keeps that of the image; an empty list removes it. Variables are given as
    ``KEY=value`` or as a map; an entry that is only a name removes the variable of the image.
    """

    image: str = ""
    entrypoint: list[str] | None = None
    parameters: list[str] = msgspec.field(default_factory=list)
    environment_variables: list[str] | dict[str, str] = msgspec.field(default_factory=list)
    working_directory: str = ""

    def variables(self) -> dict[str, str | None]:
        """Return variables by name, in their order; None stands for a name without a value."""
        if isinstance(self.environment_variables, dict):
            return dict(self.environment_variables)
        split = (entry.partition("=") for entry in self.environment_variables)
        return {name: value if equals else None for name, equals, value in split}


def read_params(spec: SpecConfig) -> DockerParams:
    """Read and judge the parameters of an engine.

    Raises:
        ValidationError: with all problems and their paths below ``Params``.
    """
    params = decode_params(DockerParams, spec)
    raise_for(list(_problems(params)))
    return params


def _problems(params: DockerParams) -> Iterator[Problem]:
    if not params.image.strip():
        yield Problem(
            "Params.Image",
            "invalid docker engine param: 'Image' cannot be empty",
            "name an image, such as ubuntu:24.04",
        )
    elif parse_reference(params.image) is None:
        yield Problem(
            "Params.Image",
            f'invalid image format: "{params.image}"',
            "write [REGISTRY/]NAME[:TAG][@DIGEST] in lower case",
        )
    if params.working_directory and not params.working_directory.startswith("/"):
        yield Problem(
            "Params.WorkingDirectory",
            "invalid docker engine param: 'WorkingDirectory' "
            f'("{params.working_directory}") must contain absolute path',
        )
    yield from env_problems(
        (name, value or "", path) for name, value, path in _variables_with_paths(params)
    )
    for field, values in (
        ("Entrypoint", params.entrypoint or ()),
        ("Parameters", params.parameters),
        ("WorkingDirectory", (params.working_directory,)),
    ):
        if any("\0" in value for value in values):
            yield Problem(f"Params.{field}", f"{field} contains a null byte")


def _variables_with_paths(params: DockerParams) -> Iterator[tuple[str, str, str]]:
    path = "Params.EnvironmentVariables"
    if isinstance(params.environment_variables, dict):
        for name, value in params.environment_variables.items():
            yield name, value, f"{path}.{name}"
    else:
        for index, entry in enumerate(params.environment_variables):
            name, _, value = entry.partition("=")
            yield name, value, f"{path}[{index}]"
