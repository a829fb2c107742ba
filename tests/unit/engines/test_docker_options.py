"""Settings of the Docker engine, and who is told which password (spec engines.md 2.3 to 2.5)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.config import Settings
from bacalhau.engines.docker.credentials import Credentials, Login, read_logins
from bacalhau.engines.docker.options import DockerOptions
from bacalhau.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

PREFIX = "Engines.Types.Docker"


def options(environment: dict[str, str] | None = None, **settings: Any) -> DockerOptions:
    values = {f"{PREFIX}.{name.replace('__', '.')}": value for name, value in settings.items()}
    return DockerOptions.of(Settings(values), environment or {})


def test_defaults() -> None:
    found = options()
    assert found.grace_seconds == 10
    assert (found.cached_images, found.cache_seconds) == (1000, 3600)
    assert "NET_RAW" in found.dropped_capabilities
    assert (found.pulls, found.keeps_containers, found.shm_bytes) == (True, False, 0)
    assert found.private_networks == ()


def test_variables_of_v15_are_honoured() -> None:
    found = options({"SKIP_IMAGE_PULL": "", "KEEP_STACK": "1"})
    assert (found.pulls, found.keeps_containers) == (False, True)
    assert options({"KEEP_STACK": ""}).keeps_containers is False


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("ShmSize", "much", "ShmSize"),
        ("AllowedPrivateNetworks", ("10.0.0.1/8",), "AllowedPrivateNetworks"),
        ("AllowedPrivateNetworks", ("lan",), '"lan"'),
        ("Registries", '{"r.example":{"Username":"u"}}', "Registries"),
        ("Registries", '{"r.example":{"Username":"u","Password":"p","Pasword":""}}', "Registries"),
    ],
)
def test_a_setting_that_makes_no_sense_is_named(name: str, value: Any, told: str) -> None:
    with pytest.raises(UserError) as caught:
        options({}, **{name: value})
    assert told in caught.value.message
    assert caught.value.fields == (f"{PREFIX}.{name}",)
    assert caught.value.hint


def test_amounts_and_networks_are_read() -> None:
    found = options(ShmSize="64Mb", AllowedPrivateNetworks=("10.0.0.0/8", "fd00::/8"))
    assert found.shm_bytes == 64_000_000
    assert [str(each) for each in found.private_networks] == ["10.0.0.0/8", "fd00::/8"]


class TestCredentials:
    def auth(self, user: str, password: str) -> dict[str, str]:
        return {"auth": base64.b64encode(f"{user}:{password}".encode()).decode()}

    def config(self, folder: Path, **content: Any) -> dict[str, str]:
        (folder / "config.json").write_text(json.dumps(content))
        return {"DOCKER_CONFIG": str(folder)}

    async def test_nothing_is_known_of_a_registry_without_a_login(self, tmp_path: Path) -> None:
        assert await Credentials({"DOCKER_CONFIG": str(tmp_path)}, {}).of("r.example") is None

    async def test_the_pair_of_variables_is_for_docker_hub_alone(self, tmp_path: Path) -> None:
        environment = {
            "DOCKER_USERNAME": "u",
            "DOCKER_PASSWORD": "p",
            "DOCKER_CONFIG": str(tmp_path),
        }
        credentials = Credentials(environment, {})
        assert await credentials.of("docker.io") == {"username": "u", "password": "p"}
        for other in ("ghcr.io", "docker.io.evil.example", "127.0.0.1:5000"):
            assert await credentials.of(other) is None

    async def test_the_nodes_settings_come_first(self, tmp_path: Path) -> None:
        environment = self.config(tmp_path, auths={"r.example": self.auth("kept", "x")})
        logins = read_logins('{"https://r.example/v2/":{"Username":"set","Password":"y"}}')
        assert logins == {"https://r.example/v2/": Login(username="set", password="y")}
        found = await Credentials(environment, logins).of("r.example")
        assert found == {"username": "set", "password": "y"}

    @pytest.mark.parametrize("name", ["https://index.docker.io/v1/", "docker.io"])
    async def test_docker_hub_has_many_names(self, tmp_path: Path, name: str) -> None:
        environment = self.config(tmp_path, auths={name: self.auth("u", "p:with:colons")})
        found = await Credentials(environment, {}).of("docker.io")
        assert found == {"username": "u", "password": "p:with:colons"}

    async def test_a_token_is_passed_on(self, tmp_path: Path) -> None:
        environment = self.config(tmp_path, auths={"r.example": {"identitytoken": "t"}})
        assert await Credentials(environment, {}).of("r.example") == {"identitytoken": "t"}

    async def test_a_helper_for_all_is_asked_before_what_is_kept(self, tmp_path: Path) -> None:
        helper = tmp_path / "docker-credential-all"
        answer = json.dumps({"Username": "<token>", "Secret": "t"})
        helper.write_text(f"#!/bin/sh\nread host\n[ $host = r.example ] || exit 1\necho '{answer}'")
        helper.chmod(0o755)
        environment = self.config(
            tmp_path, credsStore="all", auths={"other.example": self.auth("u", "p")}
        )
        environment["PATH"] = f"{tmp_path}:/usr/bin:/bin"
        credentials = Credentials(environment, {})
        assert await credentials.of("r.example") == {"identitytoken": "t"}
        assert await credentials.of("other.example") == {"username": "u", "password": "p"}

    @pytest.mark.parametrize("text", ["", "[]", '{"auths": [1]}', '{"auths": {"r.example": 1}}'])
    async def test_a_file_that_makes_no_sense_is_as_none(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "config.json").write_text(text)
        assert await Credentials({"DOCKER_CONFIG": str(tmp_path)}, {}).of("r.example") is None

    async def test_a_helper_that_is_missing_knows_nothing(self, tmp_path: Path) -> None:
        environment = self.config(tmp_path, credHelpers={"r.example": "absent"})
        environment["PATH"] = str(tmp_path)
        assert await Credentials(environment, {}).of("r.example") is None
