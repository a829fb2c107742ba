"""Images, with a real daemon and a real registry (spec engines.md 2.3, 2.4, E10 to E12)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

import pytest

from bacalhau.engines.docker import DockerEngine
from bacalhau.errors import ExecutionError, TransientError
from bacalhau.models import SpecConfig, Task
from bacalhau.testing.contracts.engine import RESOURCES, Runs, finish
from tests.support.docker import publish_foreign_image
from tests.support.engines import DockerBench, output_of, plugin_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.docker import DockerDaemon, PrivateRegistry

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("docker")]


@pytest.fixture
async def engine(tmp_path: Path, docker_daemon: DockerDaemon) -> AsyncIterator[DockerEngine]:
    async with DockerEngine.open(plugin_context(tmp_path)) as engine:
        yield engine


@pytest.fixture
def docker_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which `docker login` keeps what it is told; not there yet."""
    folder = tmp_path / "docker-config"
    folder.mkdir()
    monkeypatch.setenv("DOCKER_CONFIG", str(folder))
    return folder / "config.json"


def task_of(image: str, **params: str) -> Task:
    return Task(name="main", engine=SpecConfig(type="docker", params={"Image": image, **params}))


class TestImages:
    async def test_an_image_is_pulled_when_it_is_not_here(
        self,
        engine: DockerEngine,
        runs: Runs,
        docker_daemon: DockerDaemon,
        docker_registry: str,
    ) -> None:
        image = f"{docker_registry}/team/tool:v1"
        publish(docker_daemon, image)
        params = {"Image": image, "Parameters": ["echo", "pulled"]}
        spec = SpecConfig(type="docker", params=params)
        assert await engine.refusal(Task(name="main", engine=spec), RESOURCES) == ""
        run, sink = runs.make(spec)
        assert await output_of(engine, run, sink) == "pulled\n"

    async def test_an_image_that_does_not_exist_is_named_with_a_remedy(
        self, engine: DockerEngine, runs: Runs, bench: DockerBench, docker_registry: str
    ) -> None:
        image = f"{docker_registry}/no/such:1"
        spec = SpecConfig(type="docker", params={"Image": image})
        run, _ = runs.make(spec)
        for attempt in (
            engine.refusal(Task(name="main", engine=spec), RESOURCES),
            finish(engine, run),
        ):
            with pytest.raises(ExecutionError) as caught:
                await attempt
            assert caught.value.message == f'image not available: "{image}"'
            assert (caught.value.component, caught.value.code) == ("Docker", "ImageNotFound")
            assert caught.value.details["Image"] == image
            assert "DOCKER_USERNAME" in caught.value.hint
        assert await bench.leftovers() == []

    async def test_an_image_for_another_platform_is_refused(
        self, engine: DockerEngine, docker_registry: str
    ) -> None:
        publish_foreign_image(docker_registry, "team/foreign", "1", "linux/riscv64")
        image = f"{docker_registry}/team/foreign:1"
        task = Task(name="main", engine=SpecConfig(type="docker", params={"Image": image}))
        reason = await engine.refusal(task, RESOURCES)
        assert reason.startswith("support the available image platforms [linux/riscv64] (supports")

    @pytest.mark.parametrize("policy", ["IfNotPresent", "Never"])
    async def test_an_image_built_here_for_another_platform_is_named_with_both(
        self,
        engine: DockerEngine,
        runs: Runs,
        docker_daemon: DockerDaemon,
        docker_registry: str,
        policy: str,
    ) -> None:
        publish_foreign_image(docker_registry, "team/arm", "1", "linux/arm64")
        docker_daemon.request(
            "POST", "/images/create", fromImage=f"{docker_registry}/team/arm:1", tag="1"
        )
        built = f"{docker_registry}/team/built-here"
        docker_daemon.request(
            "POST", f"/images/{docker_registry}/team/arm:1/tag", repo=built, tag="1"
        )
        task = task_of(f"{built}:1", PullPolicy=policy)
        reason = await engine.refusal(task, RESOURCES)
        assert reason.startswith("support the available image platforms [linux/arm64] (supports")
        run, _ = runs.make(task.engine)
        with pytest.raises(ExecutionError) as caught:
            await finish(engine, run)
        assert caught.value.code == "ImagePlatform"
        assert f'the image "{built}:1" is for linux/arm64, and' in caught.value.message
        assert "--platform" in caught.value.hint

    async def test_a_registry_that_is_away_is_no_fault_of_the_image(
        self, engine: DockerEngine
    ) -> None:
        image = "127.0.0.1:9/some/image:1"
        task = Task(name="main", engine=SpecConfig(type="docker", params={"Image": image}))
        with pytest.raises(TransientError) as caught:
            await engine.refusal(task, RESOURCES)
        assert caught.value.code == "SystemError"
        assert "registry" in caught.value.hint


class TestPullPolicy:
    async def test_a_tag_that_moved_is_pulled_again_only_when_asked_for(
        self, engine: DockerEngine, runs: Runs, docker_daemon: DockerDaemon, docker_registry: str
    ) -> None:
        image = f"{docker_registry}/team/moving:1"
        command = {"Parameters": ["sh", "-c", "echo $VERSION"]}
        publish(docker_daemon, image, "ENV VERSION=new")
        docker_daemon.import_image(image, "ENV VERSION=old")
        found = {}
        for policy in ("Never", "IfNotPresent", "always"):
            params = {"Image": image, "PullPolicy": policy, **command}
            run, sink = runs.make(SpecConfig(type="docker", params=params))
            found[policy] = (await output_of(engine, run, sink)).strip()
        assert found == {"Never": "old", "IfNotPresent": "old", "always": "new"}

    async def test_never_means_that_an_image_must_be_here(
        self, engine: DockerEngine, runs: Runs, docker_daemon: DockerDaemon, docker_registry: str
    ) -> None:
        image = f"{docker_registry}/team/absent:1"
        publish(docker_daemon, image)
        task = task_of(image, PullPolicy="Never")
        run, _ = runs.make(task.engine)
        for attempt in (engine.refusal(task, RESOURCES), finish(engine, run)):
            with pytest.raises(ExecutionError, match="is not on this node") as caught:
                await attempt
            assert caught.value.code == "ImageNotFound"

    async def test_the_operator_can_forbid_pulling(
        self,
        runs: Runs,
        docker_daemon: DockerDaemon,
        docker_registry: str,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        image = f"{docker_registry}/team/forbidden:1"
        publish(docker_daemon, image)
        monkeypatch.setenv("SKIP_IMAGE_PULL", "")
        async with DockerEngine.open(plugin_context(tmp_path)) as engine:
            with pytest.raises(ExecutionError, match="is not on this node"):
                await engine.refusal(task_of(image), RESOURCES)

    async def test_an_image_that_somebody_removes_is_pulled_again(
        self, engine: DockerEngine, runs: Runs, docker_daemon: DockerDaemon, docker_registry: str
    ) -> None:
        image = f"{docker_registry}/team/removed:1"
        publish(docker_daemon, image)
        spec = SpecConfig(type="docker", params={"Image": image, "Parameters": ["echo", "hi"]})
        for _ in range(2):
            run, sink = runs.make(spec)
            assert await output_of(engine, run, sink) == "hi\n"
            docker_daemon.remove_image(image)


class TestPlatforms:
    async def test_the_operator_can_offer_a_platform_that_is_emulated(
        self, docker_daemon: DockerDaemon, docker_registry: str, tmp_path: Path
    ) -> None:
        publish_foreign_image(docker_registry, "team/emulated", "1", "linux/riscv64")
        settings = {"Engines.Types.Docker.ExtraPlatforms": ("linux/riscv64",)}
        task = task_of(f"{docker_registry}/team/emulated:1")
        async with DockerEngine.open(plugin_context(tmp_path, settings)) as engine:
            assert await engine.refusal(task, RESOURCES) == ""

    async def test_what_a_registry_says_is_remembered_for_a_while(
        self, docker_daemon: DockerDaemon, docker_registry: str, tmp_path: Path
    ) -> None:
        task = task_of(f"{docker_registry}/team/remembered:1")
        publish_foreign_image(docker_registry, "team/remembered", "1", "linux/riscv64")
        cache = "Engines.Types.Docker.ManifestCache"
        context = plugin_context(tmp_path, {f"{cache}.TTL": "1h"})
        forgetful = plugin_context(tmp_path, {f"{cache}.Size": 0})
        async with DockerEngine.open(context) as one, DockerEngine.open(forgetful) as other:
            for engine in (one, other):
                assert "riscv64" in await engine.refusal(task, RESOURCES)
            publish_foreign_image(docker_registry, "team/remembered", "1", "linux/s390x")
            assert "riscv64" in await one.refusal(task, RESOURCES)
            assert "s390x" in await other.refusal(task, RESOURCES)


class TestPrivateRegistry:
    """A registry that wants a user and a password."""

    @pytest.fixture
    def image(self, docker_daemon: DockerDaemon, private_registry: PrivateRegistry) -> str:
        image = f"{private_registry.address}/team/secret:1"
        login = {"username": private_registry.user, "password": private_registry.password}
        publish(docker_daemon, image, login=login)
        return image

    async def test_without_a_login_the_image_is_not_available(
        self, image: str, engine: DockerEngine, docker_config: Path
    ) -> None:
        with pytest.raises(ExecutionError) as caught:
            await engine.refusal(task_of(image), RESOURCES)
        assert caught.value.code == "ImageNotFound"
        assert "docker login" in caught.value.hint

    async def test_what_docker_login_has_kept_is_used(
        self,
        image: str,
        engine: DockerEngine,
        runs: Runs,
        private_registry: PrivateRegistry,
        docker_config: Path,
    ) -> None:
        pair = f"{private_registry.user}:{private_registry.password}".encode()
        auths = {private_registry.address: {"auth": base64.b64encode(pair).decode()}}
        docker_config.write_text(json.dumps({"auths": auths}))
        await self._runs(image, engine, runs)

    async def test_a_credential_helper_is_asked(
        self,
        image: str,
        engine: DockerEngine,
        runs: Runs,
        private_registry: PrivateRegistry,
        docker_config: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        answer = {"Username": private_registry.user, "Secret": private_registry.password}
        helper = docker_config.parent / "docker-credential-test"
        helper.write_text(
            f"#!/bin/sh\nread host\n[ $host = {private_registry.address} ] || exit 1\n"
            f"echo '{json.dumps(answer)}'\n"
        )
        helper.chmod(0o755)
        monkeypatch.setenv("PATH", str(docker_config.parent), prepend=":")
        helpers = {private_registry.address: "test"}
        docker_config.write_text(json.dumps({"credHelpers": helpers}))
        await self._runs(image, engine, runs)

    async def test_the_nodes_settings_can_name_a_user(
        self,
        image: str,
        runs: Runs,
        private_registry: PrivateRegistry,
        docker_config: Path,
        tmp_path: Path,
    ) -> None:
        login = {"Username": private_registry.user, "Password": private_registry.password}
        key = "Engines.Types.Docker.Registries"
        settings = {key: json.dumps({private_registry.address: login})}
        async with DockerEngine.open(plugin_context(tmp_path, settings)) as engine:
            await self._runs(image, engine, runs)

    async def test_the_login_of_docker_hub_is_shown_to_nobody_else(
        self,
        image: str,
        engine: DockerEngine,
        private_registry: PrivateRegistry,
        docker_config: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("DOCKER_USERNAME", private_registry.user)
        monkeypatch.setenv("DOCKER_PASSWORD", private_registry.password)
        with pytest.raises(ExecutionError) as caught:
            await engine.refusal(task_of(image), RESOURCES)
        assert caught.value.code == "ImageNotFound"

    @staticmethod
    async def _runs(image: str, engine: DockerEngine, runs: Runs) -> None:
        assert await engine.refusal(task_of(image), RESOURCES) == ""
        spec = SpecConfig(type="docker", params={"Image": image, "Parameters": ["echo", "in"]})
        run, sink = runs.make(spec)
        assert await output_of(engine, run, sink) == "in\n"


def publish(
    daemon: DockerDaemon, image: str, *changes: str, login: dict[str, str] | None = None
) -> None:
    """Put an image into a registry and forget it locally."""
    daemon.import_image(image, 'CMD ["sh"]', *changes)
    name, _, tag = image.rpartition(":")
    # The daemon wants some credentials, if only empty ones.
    headers = {"X-Registry-Auth": base64.b64encode(json.dumps(login or {}).encode()).decode()}
    _, answer = daemon.request("POST", f"/images/{name}/push", headers=headers, tag=tag)
    assert b'"error"' not in answer, answer
    daemon.remove_image(image)
