"""Parameters of the Docker engine (spec engines.md 2.1)."""

from __future__ import annotations

import enum
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from bacalhau.lib.nearest import did_you_mean
from bacalhau.models.decode import judged_params, params_problems, unknown_params
from bacalhau.models.params import ParamsModel
from bacalhau.models.problems import Problem
from bacalhau.models.specs.environment import env_problems
from bacalhau.models.specs.images import parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.models.job import SpecConfig


class PullPolicy(enum.StrEnum):
    """When an image is pulled. Read in any case."""

    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"
    NEVER = "Never"

    @classmethod
    def _missing_(cls, value: object) -> PullPolicy | None:
        wanted = str(value).strip().lower()
        return next((member for member in cls if member.lower() == wanted), None)


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
    pull_policy: str = ""

    @property
    def pulls(self) -> PullPolicy:
        """When the image is pulled."""
        return PullPolicy(self.pull_policy.strip() or PullPolicy.IF_NOT_PRESENT)

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
    return judged_params(DockerParams, spec, partial(_problems, spec=spec))


def problems_of(spec: SpecConfig) -> list[Problem]:
    """Return what is wrong with the parameters of an engine; paths begin with ``Params``."""
    return params_problems(DockerParams, spec, partial(_problems, spec=spec))


def _problems(params: DockerParams, spec: SpecConfig) -> Iterator[Problem]:
    if not params.image.strip():
        meant = [did_you_mean(name, ["Image"]) for name in unknown_params(DockerParams, spec)]
        yield Problem(
            "Params.Image",
            "invalid docker engine param: 'Image' cannot be empty",
            next(filter(None, meant), "name an image, such as ubuntu:24.04"),
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
            "write the path from the root of the image, such as /work",
        )
    if params.pull_policy.strip().lower() not in _POLICIES:
        yield Problem(
            "Params.PullPolicy",
            f'unknown pull policy "{params.pull_policy}"',
            f"write {', '.join(PullPolicy)}, or leave it out",
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


_POLICIES = frozenset(("", *(policy.lower() for policy in PullPolicy)))


def _variables_with_paths(params: DockerParams) -> Iterator[tuple[str, str, str]]:
    path = "Params.EnvironmentVariables"
    if isinstance(params.environment_variables, dict):
        for name, value in params.environment_variables.items():
            yield name, value, f"{path}.{name}"
    else:
        for index, entry in enumerate(params.environment_variables):
            name, _, value = entry.partition("=")
            yield name, value, f"{path}[{index}]"
