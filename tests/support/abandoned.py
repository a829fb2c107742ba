"""A node that is killed while a task of it runs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from bacalhau.ports import TaskRun

_NODE = """
import asyncio, sys
from pathlib import Path
import msgspec
from bacalhau.engines.docker import DockerEngine
from bacalhau.models import SpecConfig, Resources, NetworkConfig
from bacalhau.ports import TaskRun, Volume
from tests.support.engines import plugin_context

class Sink:
    def reset(self): pass
    def write(self, stream, data): sys.stdout.buffer.write(data); sys.stdout.buffer.flush()

async def main(execution_id, job_id, params, outputs, network):
    run = TaskRun(
        execution_id=execution_id, job_id=job_id, env={}, resources=Resources(),
        network=msgspec.json.decode(network, type=NetworkConfig), inputs=(), sink=Sink(),
        engine=SpecConfig(type="docker", params=msgspec.json.decode(params)),
        outputs=tuple(Volume(path=Path(p), target=t) for p, t in msgspec.json.decode(outputs)),
    )
    settings = {"Engines.Types.Docker.AllowedPrivateNetworks": ("127.0.0.0/8", "::1/128")}
    async with DockerEngine.open(plugin_context(Path(), settings)) as engine:
        await engine.run(run)

asyncio.run(main(*sys.argv[1:]))
"""


def abandon(run: TaskRun, directory: Path) -> None:
    """Run a task in a process of its own, and kill that as soon as the task has printed."""
    program = directory / "node.py"
    program.write_text(textwrap.dedent(_NODE))
    outputs = json.dumps([[str(volume.path), volume.target] for volume in run.outputs])
    command = [
        sys.executable,
        str(program),
        run.execution_id,
        run.job_id,
        json.dumps(run.engine.params),
        outputs,
        msgspec.json.encode(run.network).decode(),
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGKILL)
