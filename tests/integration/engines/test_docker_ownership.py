"""Results that another user wrote, with a real daemon (spec engines.md 1.3)."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bacalhau.engines.docker import DockerEngine
from bacalhau.engines.docker.daemon import connect
from bacalhau.engines.docker.ownership import Ownership
from bacalhau.testing.contracts.engine import Runs
from tests.support.engines import DockerBench, plugin_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.docker import DockerDaemon

pytestmark = [
    pytest.mark.docker,
    pytest.mark.xdist_group("docker"),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as a second user"),
]
SOMEBODY = 4242
# A file that its owner alone reads, in directories that their owner alone sees, and one with a
# name that is too long for a plain archive.
WRITE = (
    "umask 077; cd /outputs; mkdir -p one/two; echo deep > one/two/file; echo top > top;"
    " chmod 0 top; ln -s /etc/passwd link; mkfifo pipe; umask 022; echo open > readable;"
    ' long=$(printf "%0120d" 0); mkdir -p $long; (umask 077; echo long > $long/$long)'
)


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user can get at."""
    place = Path(tempfile.mkdtemp(prefix="owned-"))
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


async def test_the_node_can_read_and_remove_what_root_wrote(
    docker_daemon: DockerDaemon, place: Path, tmp_path: Path
) -> None:
    bench = DockerBench(docker_daemon)
    run, sink = Runs(bench, place).make(bench.script(WRITE), outputs=("/outputs",))
    root = run.outputs[0].path
    async with DockerEngine.open(plugin_context(tmp_path)) as engine:
        assert (await engine.run(run)).exit_code == 0, sink.stderr
        (container,) = docker_daemon.containers("bacalhau-executor=bacalhau-n-test")
        for path in (root.parent, root):
            os.chown(path, SOMEBODY, SOMEBODY)
        async with connect(os.environ) as docker:
            ownership = Ownership(docker, SOMEBODY, SOMEBODY)
            await docker.version()  # The connection stays, and only root could make it.
            # The file system is asked as that user, who does not see everything at once.
            os.seteuid(SOMEBODY)
            try:
                await ownership.take(container["Id"], run)
                found = {name: (root / name).read_text() for name in ("one/two/file", "top")}
                (long,) = root.glob("0*/0*")
                assert long.read_text() == "long\n"
                shutil.rmtree(root)
            finally:
                os.seteuid(0)
        await engine.forget(run.execution_id)
    assert found == {"one/two/file": "deep\n", "top": "top\n"}
    assert not root.exists()


async def test_a_file_that_all_can_read_is_left_as_it_is(
    docker_daemon: DockerDaemon, place: Path, tmp_path: Path
) -> None:
    bench = DockerBench(docker_daemon)
    run, _ = Runs(bench, place).make(bench.script(WRITE), outputs=("/outputs",))
    root = run.outputs[0].path
    async with DockerEngine.open(plugin_context(tmp_path)) as engine:
        await engine.run(run)
        (container,) = docker_daemon.containers("bacalhau-executor=bacalhau-n-test")
        async with connect(os.environ) as docker:
            await Ownership(docker, SOMEBODY, SOMEBODY).take(container["Id"], run)
        await engine.forget(run.execution_id)
    assert (root / "readable").stat().st_uid == 0
    assert (root / "link").is_symlink()
    assert (root / "one" / "two").stat().st_uid == SOMEBODY
    assert sorted(path.name for path in root.iterdir() if path.name.startswith(".")) == []
