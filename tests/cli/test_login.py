"""Commands against a server that asks for tokens: they log in by themselves (spec cli.md 7.2)."""

from __future__ import annotations

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization
from msgspec.structs import replace

from bacalhau.client.proof import proof_of
from bacalhau.errors import ForbiddenError
from bacalhau.policy.grant import EVERYBODY, OWNER, Grant
from bacalhau.policy.methods import Answers
from bacalhau.policy.passwords import hash_password
from bacalhau.policy.policy_file import Asked, User
from tests.support.api_server import store_job
from tests.support.cli import Outcome, ServedApi, run_cli, served_api
from tests.support.jobs import finished_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BOB = Grant(subject="bob", namespaces={"*": OWNER}, is_admin=True)


@pytest.fixture
def strict() -> Iterator[ServedApi]:
    with served_api(strict=True) as served:
        yield served


@pytest.fixture
def asked() -> Iterator[ServedApi]:
    """A server with two ways to log in, a password and a secret."""
    user = User(hash_password("right", b"salt"), "c2FsdA==", BOB)
    with ThreadPoolExecutor(1) as threads:
        methods = {
            "password": Answers(Asked({"bob": user}), threads),
            "secret": Answers(Asked({}, "s3cret", BOB), threads),
        }
        with served_api(strict=True, methods=methods) as served:
            yield served


def cli(served: ServedApi, directory: Path, *arguments: str, **options: Any) -> Outcome:
    return served.cli(*arguments, environment={"BACALHAU_DIR": str(directory)}, **options)


def kept(directory: Path) -> dict[str, str]:
    tokens: dict[str, str] = json.loads((directory / "tokens.json").read_text())
    return tokens


def test_the_first_call_logs_in_and_later_ones_use_the_token(
    strict: ServedApi, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    assert cli(strict, data, "job", "list").code == 0
    url = f"http://127.0.0.1:{strict.port}"
    grant = strict.api.tokens.grant_of(kept(data)[url])
    assert grant.permission("any") == EVERYBODY
    key = serialization.load_pem_private_key((data / "user_id.pem").read_bytes(), None)
    assert key.key_size == 2048  # type: ignore[union-attr]
    for name in ("user_id.pem", "tokens.json"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600
    before = kept(data)
    assert cli(strict, data, "node", "list").code == 0
    assert kept(data) == before


def test_servers_that_ask_nobody_are_not_logged_in_to(server: ServedApi, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert cli(server, data, "job", "list").code == 0
    assert not data.exists()


def test_a_token_of_another_server_is_replaced(strict: ServedApi, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{strict.port}"
    tokens = {url: "stale", "http://elsewhere:1": "theirs"}
    (tmp_path / "tokens.json").write_text(json.dumps(tokens))
    assert cli(strict, tmp_path, "job", "list").code == 0
    assert kept(tmp_path)[url] not in ("stale", "")
    assert kept(tmp_path)["http://elsewhere:1"] == "theirs"


def test_what_is_not_allowed_is_told_with_what_is(strict: ServedApi, tmp_path: Path) -> None:
    refused = cli(strict, tmp_path, "docker", "run", "ubuntu")
    assert (refused.code, refused.stdout) == (1, "")
    assert "may not write jobs in namespace default\nHint:  use a namespace" in refused.stderr
    own = refused.stderr.rpartition(" ")[2].strip()
    allowed = cli(strict, tmp_path, "docker", "run", "--namespace", own, "--wait=false", "ubuntu")
    assert allowed.code == 0
    refused = cli(strict, tmp_path, "node", "approve", "n-here")
    assert "may not decide on nodes" in refused.stderr


def test_logs_log_in_too(strict: ServedApi, tmp_path: Path) -> None:
    job = replace(finished_job(), id="j-1")
    strict.run(store_job(strict.api.store, job))
    outcome = cli(strict, tmp_path, "job", "logs", "j-1")
    assert "unauthorized" not in outcome.stderr
    assert kept(tmp_path)


def test_a_password_is_asked_for(asked: ServedApi, tmp_path: Path) -> None:
    outcome = cli(asked, tmp_path, "job", "list", stdin="7\n1\nbob\nright\n")
    assert outcome.code == 0, outcome
    assert outcome.stderr == (
        "How do you want to log in?\n1. password\n2. secret\nChoose a number: invalid choice: 7\n"
        "Choose a number: username: password: "
    )
    (token,) = kept(tmp_path).values()
    assert asked.api.tokens.grant_of(token) == BOB
    assert not (tmp_path / "user_id.pem").exists()


def test_a_wrong_answer_can_be_put_right(asked: ServedApi, tmp_path: Path) -> None:
    outcome = cli(asked, tmp_path, "job", "list", stdin="2\nwrong\n2\ns3cret\n")
    assert outcome.code == 0
    assert "The server refuses: credentials rejected\n" in outcome.stderr


def test_but_not_for_ever(asked: ServedApi, tmp_path: Path) -> None:
    outcome = cli(asked, tmp_path, "job", "list", stdin="2\nwrong\n" * 9)
    assert outcome.code == 1
    assert "does not let us log in: too many attempts" in outcome.stderr
    assert kept(tmp_path) == {} if (tmp_path / "tokens.json").exists() else True


@pytest.mark.parametrize("stdin", ["", "\n", "1\n", "1\nbob\n"])
def test_nobody_answers(asked: ServedApi, tmp_path: Path, stdin: str) -> None:
    outcome = cli(asked, tmp_path, "job", "list", stdin=stdin)
    assert outcome.code == 1
    assert "\nError: unauthorized\nHint:  Invalid token. This server asks for" in outcome.stderr


def test_a_server_without_a_way_to_log_in(tmp_path: Path) -> None:
    class Unknown:
        type = "retina"

        def params(self) -> dict[str, Any]:
            return {}

        async def grant(self, data: bytes) -> Grant:
            raise AssertionError(data)

    with served_api(strict=True, methods={"eye": Unknown()}) as served:
        outcome = cli(served, tmp_path, "job", "list")
    assert outcome.code == 1
    assert "it offers eye (retina), and this program knows challenge and ask" in outcome.stderr


def test_damaged_files_are_told(strict: ServedApi, tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text("[1]")
    outcome = cli(strict, tmp_path, "job", "list")
    assert f"Error: the tokens in {tmp_path}/tokens.json cannot be read" in outcome.stderr
    (tmp_path / "tokens.json").write_text("")
    (tmp_path / "user_id.pem").write_text("no key")
    outcome = cli(strict, tmp_path, "job", "list")
    assert f"Error: the key in {tmp_path}/user_id.pem, which is needed to log in" in outcome.stderr


def test_a_token_that_cannot_be_kept_counts_for_the_call(asked: ServedApi, tmp_path: Path) -> None:
    data = tmp_path / "file"
    data.write_text("")
    outcome = cli(asked, data, "job", "list", stdin="2\ns3cret\n")
    assert outcome.code == 0
    assert "The token cannot be kept for later calls" in outcome.stderr


@pytest.mark.parametrize(
    "phrase",
    [
        b"",
        b"eyJhbGciOiJSUzI1NiJ9.eyJucyI6eyIqIjoxNX19",
        b"n-1\nmore",
        b"log in to bacalhau node n-1 once: x",
        b"n" * 300,
    ],
)
def test_nothing_but_a_challenge_is_signed(tmp_path: Path, phrase: bytes) -> None:
    with pytest.raises(ForbiddenError, match="was not signed"):
        proof_of(phrase, tmp_path / "user_id.pem")
    assert not (tmp_path / "user_id.pem").exists()


def test_the_node_id_of_v1_5_is_signed(tmp_path: Path) -> None:
    proof = proof_of(b"n-0e6a41b7-e9d5-4bac-8f11-2f6a7b8c9d0e", tmp_path / "user_id.pem")
    assert len(base64.b64decode(proof["PhraseSignature"])) == 256


def test_the_machine_and_the_installation_are_named(server: ServedApi, tmp_path: Path) -> None:
    (tmp_path / "system_metadata.yaml").write_text('InstanceID: "0abc"\nRepoVersion: 4\n')
    config = tmp_path / "config" / "bacalhau"
    config.mkdir(parents=True)
    (config / "installation_id").write_text("install-7\n")
    outcome = run_cli(
        *("docker", "run", "--wait=false", "ubuntu"),
        environment={
            "BACALHAU_DIR": str(tmp_path),
            "BACALHAU_API_PORT": str(server.port),
            "XDG_CONFIG_HOME": str(config.parent),
        },
    )
    job = server.api.store.job(outcome.stdout.strip())  # type: ignore[arg-type]
    assert job is not None
    assert job.meta["bacalhau.org/client.instance.id"] == "0abc"
    assert job.meta["bacalhau.org/client.installation.id"] == "install-7"
