"""Parameters of the WebAssembly engine (spec engines.md 3.1, 6.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from bacalhau.models._shapes import find_key
from bacalhau.models.decode import judged_params, params_problems
from bacalhau.models.job import InputSource
from bacalhau.models.params import ParamsModel
from bacalhau.models.problems import Problem
from bacalhau.models.specs.environment import env_problems

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.models.job import SpecConfig

RESERVED_TARGET = "/.bacalhau/wasm"
"""Where the engine's own inputs are; tasks do not see it."""


class WasmParams(ParamsModel, frozen=True, kw_only=True):
    """What to run.

    A module is given by its source (as in v1.5) or by its path among the task's inputs (as in
    v1.9). A module to import is known by its alias in the first form, by its path in the second.
    """

    entry_module: InputSource | str = ""
    entry_point: str = ""
    parameters: list[str] = msgspec.field(default_factory=list)
    environment_variables: dict[str, str] = msgspec.field(default_factory=dict)
    import_modules: list[InputSource | str] = msgspec.field(default_factory=list)

    @property
    def function(self) -> str:
        """The exported function that is called."""
        return self.entry_point or "_start"

    def modules(self) -> list[tuple[str, InputSource | str]]:
        """Return modules with the path at which each is found: the entry module, then imports."""
        modules = [self.entry_module, *self.import_modules]
        return [
            (module if isinstance(module, str) else f"{RESERVED_TARGET}/{index}", module)
            for index, module in enumerate(modules)
        ]

    def own_inputs(self) -> list[InputSource]:
        """Return the sources of modules that are not among the task's inputs."""
        return [
            msgspec.structs.replace(module, target=target)
            for target, module in self.modules()
            if isinstance(module, InputSource)
        ]


def read_params(spec: SpecConfig) -> WasmParams:
    """Read and judge the parameters of an engine.

    Raises:
        ValidationError: with all problems and their paths below ``Params``.
    """
    return judged_params(WasmParams, spec, _problems)


def problems_of(spec: SpecConfig) -> list[Problem]:
    """Return what is wrong with the parameters of an engine; paths begin with ``Params``."""
    return params_problems(WasmParams, spec, _problems)


def named_modules(spec: SpecConfig) -> list[tuple[str, str]]:
    """Return the modules given by a path among the task's inputs, each behind its JSON path."""
    modules = [("Params.EntryModule", _param(spec, "EntryModule"))]
    imports = _param(spec, "ImportModules")
    if isinstance(imports, list):
        modules += [(f"Params.ImportModules[{n}]", module) for n, module in enumerate(imports)]
    return [(path, module) for path, module in modules if isinstance(module, str) and module]


def _param(spec: SpecConfig, name: str) -> Any:
    key = find_key(spec.params, name)
    return None if key is None else spec.params[key]


def import_name(module: InputSource | str) -> str:
    """Return the name under which other modules import this one."""
    return module if isinstance(module, str) else module.alias


def _problems(params: WasmParams) -> Iterator[Problem]:
    yield from _module_problems(params.entry_module, "Params.EntryModule", "entry module")
    names: set[str] = set()
    for index, module in enumerate(params.import_modules):
        path = f"Params.ImportModules[{index}]"
        yield from _module_problems(module, path, "import module")
        name = import_name(module)
        if isinstance(module, InputSource) and not name:
            yield Problem(
                f"{path}.Alias",
                "an import module has no alias",
                "set Alias to the module name that other modules import",
            )
        elif name in names:
            yield Problem(path, f'the import module "{name}" is given twice')
        names.add(name)
    yield from env_problems(
        (name, value, f"Params.EnvironmentVariables.{name}")
        for name, value in params.environment_variables.items()
    )
    for index, argument in enumerate(params.parameters):
        if "\0" in argument:
            yield Problem(f"Params.Parameters[{index}]", "an argument contains a null byte")


def _module_problems(module: InputSource | str, path: str, what: str) -> Iterator[Problem]:
    if isinstance(module, str):
        if not module.strip():
            yield Problem(
                path,
                f"invalid wasm engine {what}. cannot be nil",
                "give the module's source, or the path of an input that holds it",
            )
    elif module.source.is_empty:
        yield Problem(f"{path}.Source", f"invalid wasm engine {what}. source cannot be nil")
