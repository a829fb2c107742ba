"""Tasks for the engines under test."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import wasmtime

from bacalhau.config import Settings
from bacalhau.engines.wasm import WasmEngine
from bacalhau.lib.clock import SystemClock
from bacalhau.lib.ids import RandomIds
from bacalhau.models import ExecutionID, JobID, NetworkConfig, NodeID, Resources, SpecConfig
from bacalhau.ports import PluginContext, TaskExit, TaskRun, Volume
from bacalhau.testing.contracts.engine import finish
from bacalhau.testing.engine_fake import FakeEngine
from tests.support.docker import IMAGE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bacalhau.config.keys import Value
    from bacalhau.ports import Engine, Stream
    from bacalhau.testing.contracts.engine import CollectingSink
    from tests.support.docker import DockerDaemon

HERE = ("http://127.0.0.1:*",)
_PROBE = Path(__file__).parent.parent / "data" / "wasm" / "probe.wat"


def plugin_context(
    directory: Path, settings: Mapping[str, Value] | None = None, node_id: str = "n-test"
) -> PluginContext:
    """Make the context of a node whose files are below ``directory``.

    It signs requests to the S3 servers of the tests.
    """
    return PluginContext(
        node_id=NodeID(node_id),
        data_directory=directory,
        settings=Settings({"Compute.AllowListedS3Endpoints": HERE, **(settings or {})}),
        clock=SystemClock(),
        ids=RandomIds(),
    )


class _NoSink:
    def reset(self) -> None: ...
    def write(self, stream: Stream, data: bytes) -> None: ...


def make_run(**changes: Any) -> TaskRun:
    """Make a run of nothing in particular, whose output is dropped."""
    fields: dict[str, Any] = {
        "execution_id": ExecutionID("e-1"),
        "job_id": JobID("j-1"),
        "engine": SpecConfig(type="none"),
        "env": {},
        "resources": Resources(),
        "network": NetworkConfig(),
        "inputs": (),
        "outputs": (),
        "sink": _NoSink(),
    }
    return TaskRun(**{**fields, **changes})


class FakeBench:
    """Tasks for the engine without programs."""

    def __init__(self, engine: FakeEngine) -> None:
        self._engine = engine

    def say(self, stdout: str, stderr: str = "", exit_code: int = 0) -> SpecConfig:
        return self._spec(Stdout=stdout, Stderr=stderr, ExitCode=exit_code)

    def arguments(self, *arguments: str) -> SpecConfig:
        return self._spec(Print=["args"], Arguments=list(arguments))

    def variable(self, name: str, **own: str) -> SpecConfig:
        return self._spec(Print=[f"env:{name}"], EnvironmentVariables=own)

    def copy(self, source: str, target: str) -> SpecConfig:
        return self._spec(Copy={source: target})

    def forever(self, line: str) -> SpecConfig:
        return self._spec(Stdout=line + "\n", Seconds=-1)

    def unstartable(self) -> tuple[SpecConfig, str]:
        return self._spec(Failure="no such program"), "no such program"

    def wrong(self) -> Sequence[tuple[SpecConfig, str]]:
        return [(self._spec(ExitCode="three"), "Params.ExitCode")]

    def inputs(self, spec: SpecConfig) -> tuple[Volume, ...]:
        return ()

    async def leftovers(self) -> Sequence[str]:
        return sorted(self._engine.machine.ends)

    @staticmethod
    def _spec(**params: Any) -> SpecConfig:
        return SpecConfig(type="fake", params=params)


@cache
def compile_text(text: str) -> bytes:
    """Turn module text into a binary, once."""
    return bytes(wasmtime.wat2wasm(text))


class WasmBench:
    """Tasks for WebAssembly: functions of the module ``tests/data/wasm/probe.wat``.

    A module's source is of the type ``test``, whose parameter is the path of the file.
    """

    def __init__(self, directory: Path, data_directory: Path) -> None:
        self._directory = directory
        self._roots = data_directory / "engines" / "wasm" / "roots"

    def call(self, function: str, *arguments: str, **params: Any) -> SpecConfig:
        """Call an exported function of the probe."""
        entry = self.source(_PROBE.read_text())
        return SpecConfig(
            type="wasm",
            params={
                "EntryModule": entry,
                "EntryPoint": function,
                "Parameters": list(arguments),
                **params,
            },
        )

    def source(self, text: str, alias: str = "") -> dict[str, Any]:
        """Make an input source that provides a module."""
        binary = compile_text(text)
        file = self._directory / f"{abs(hash(binary))}.wasm"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(binary)
        return {"Source": {"Type": "test", "Params": {"Path": str(file)}}, "Alias": alias}

    def say(self, stdout: str, stderr: str = "", exit_code: int = 0) -> SpecConfig:
        return self.call("say", stdout, stderr, str(exit_code))

    def arguments(self, *arguments: str) -> SpecConfig:
        return self.call("arguments", *arguments)

    def variable(self, name: str, **own: str) -> SpecConfig:
        return self.call("variable", name, EnvironmentVariables=own)

    def copy(self, source: str, target: str) -> SpecConfig:
        return self.call("copy", source, target)

    def forever(self, line: str) -> SpecConfig:
        return self.call("forever", line)

    def unstartable(self) -> tuple[SpecConfig, str]:
        return self.call("absent"), "unable to find the entrypoint 'absent' in the WASM module"

    def wrong(self) -> Sequence[tuple[SpecConfig, str]]:
        good = self.call("say").params
        changes: list[tuple[dict[str, Any], str]] = [
            ({"EntryModule": None}, "Params.EntryModule"),
            ({"EntryModule": {"Source": {}}}, "Params.EntryModule.Source"),
            ({"EntryPoint": 5}, "Params.EntryPoint"),
            ({"Parameters": "a"}, "Params.Parameters"),
            ({"ImportModules": [self.source("(module)")]}, "Params.ImportModules[0].Alias"),
            (
                {"EnvironmentVariables": {"bacalhau_x": "1"}},
                "Params.EnvironmentVariables.bacalhau_x",
            ),
        ]
        return [
            (SpecConfig(type="wasm", params={**good, **change}), path) for change, path in changes
        ]

    def inputs(self, spec: SpecConfig) -> tuple[Volume, ...]:
        return tuple(
            Volume(path=Path(each.source.params["Path"]), target=each.target)
            for each in WasmEngine.extra_inputs(spec)
        )

    async def leftovers(self) -> Sequence[str]:
        return sorted(path.name for path in self._roots.glob("*"))


class DockerBench:
    """Tasks for containers: shell scripts in busybox."""

    def __init__(self, daemon: DockerDaemon, node_id: str = "n-test") -> None:
        self._daemon = daemon
        self._label = f"bacalhau-executor=bacalhau-{node_id}"

    def script(self, script: str, *arguments: str, **params: Any) -> SpecConfig:
        """Run a script; its arguments are $1, $2 and so on."""
        command = ["sh", "-c", script, "task", *arguments]
        return SpecConfig(type="docker", params={"Image": IMAGE, "Parameters": command, **params})

    def say(self, stdout: str, stderr: str = "", exit_code: int = 0) -> SpecConfig:
        return self.script(
            'printf %s "$1"; printf %s "$2" >&2; exit $3', stdout, stderr, str(exit_code)
        )

    def arguments(self, *arguments: str) -> SpecConfig:
        return self.script('printf "%s\\n" "$@"', *arguments)

    def variable(self, name: str, **own: str) -> SpecConfig:
        variables = [f"{each}={value}" for each, value in own.items()]
        return self.script(f'echo "${name}"', EnvironmentVariables=variables)

    def copy(self, source: str, target: str) -> SpecConfig:
        return self.script('cp "$1" "$2"', source, target)

    def forever(self, line: str) -> SpecConfig:
        return self.script('echo "$1"; exec sleep 1000000', line)

    def unstartable(self) -> tuple[SpecConfig, str]:
        spec = self.script("", Entrypoint=["no-such-program"])
        return spec, "failed to start container: executable file not found"

    def wrong(self) -> Sequence[tuple[SpecConfig, str]]:
        changes: list[tuple[dict[str, Any], str]] = [
            ({"Image": ""}, "Params.Image"),
            ({"Image": "Upper/Case"}, "Params.Image"),
            ({"Entrypoint": "sh"}, "Params.Entrypoint"),
            ({"Parameters": [1]}, "Params.Parameters[0]"),
            ({"WorkingDirectory": "tmp"}, "Params.WorkingDirectory"),
            ({"EnvironmentVariables": ["bacalhau_x=1"]}, "Params.EnvironmentVariables[0]"),
            (
                {"EnvironmentVariables": {"BACALHAU_X": "1"}},
                "Params.EnvironmentVariables.BACALHAU_X",
            ),
        ]
        good = self.say("hi").params
        return [
            (SpecConfig(type="docker", params={**good, **change}), path) for change, path in changes
        ]

    def inputs(self, spec: SpecConfig) -> tuple[Volume, ...]:
        return ()

    async def leftovers(self) -> Sequence[str]:
        networks = self._daemon.networks(self._label)
        return [
            *(str(each["Names"]) for each in self._daemon.containers(self._label)),
            *(str(each["Name"]) for each in networks),
        ]


async def output_of(engine: Engine, run: TaskRun, sink: CollectingSink) -> str:
    """Run a task that must end well, and return what it printed."""
    assert await finish(engine, run) == TaskExit(exit_code=0), sink.stderr
    return sink.stdout.decode()
