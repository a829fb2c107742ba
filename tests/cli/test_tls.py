"""An API that speaks TLS, and commands that speak to it (spec config.md 3.2, security.md 8)."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.cli import run_cli
from tests.support.env import Env, Node, open_env

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cli import ServedApi

JOB = Path(__file__).parents[2] / "examples" / "hello" / "job.yaml"
PLAIN = ("-c", "Engines.Disabled=docker")


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    with open_env(tmp_path) as opened:
        yield opened


def start_secure(env: Env, *flags: str) -> Node:
    env.variables |= {
        "BACALHAU_API_TLS_USETLS": "true",
        "BACALHAU_API_TLS_CAFILE": str(env.directory / "node" / "api_tls.crt"),
    }
    return env.start_node(*PLAIN, *flags)


def test_a_certificate_of_its_own(env: Env) -> None:
    node = start_secure(env, "-c", "API.TLS.SelfSigned")
    data = env.directory / "node"
    certificate, key = data / "api_tls.crt", data / "api_tls.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    exported = (data / "bacalhau.run").read_text()
    assert "export BACALHAU_API_TLS_USETLS=true\n" in exported
    assert f"export BACALHAU_API_TLS_CAFILE={certificate}\n" in exported
    ran = env.cli("job", "run", str(JOB), "--id-only")
    assert ran.code == 0, ran
    job_id = ran.stdout.strip()
    assert env.cli("job", "logs", job_id).stdout == "hello, world\n"
    for host in ("localhost", "127.0.0.1"):
        assert env.cli("agent", "alive", "--api-host", host).code == 0
    first = certificate.read_bytes()
    assert node.stop() == 0
    start_secure(env, "-c", "API.TLS.SelfSigned")
    assert certificate.read_bytes() == first


def test_whom_a_client_trusts(env: Env) -> None:
    start_secure(env, "-c", "API.TLS.SelfSigned")
    trusting = env.variables.pop("BACALHAU_API_TLS_CAFILE")
    refused = env.cli("agent", "alive")
    assert refused.code == 1
    assert "Error: no secure connection to https://127.0.0.1:" in refused.stderr
    assert "self-signed certificate" in refused.stderr
    assert "-c API.TLS.CAFile=FILE" in refused.stderr
    assert env.cli("agent", "alive", "--insecure").code == 0
    assert env.cli("agent", "alive", "--cacert", trusting).code == 0
    plain = env.cli("agent", "alive", "--tls=false")
    assert plain.code == 1
    assert "Error: network error" in plain.stderr
    assert "3. Or, if it speaks TLS: `-c API.TLS.UseTLS" in plain.stderr


def test_tokens_over_tls(env: Env) -> None:
    policy = "API.Auth.AccessPolicyPath=builtin:namespaces"
    start_secure(env, "-c", "API.TLS.SelfSigned", "-c", policy)
    assert env.cli("job", "list").code == 0


def test_given_files_are_used(env: Env) -> None:
    node = start_secure(env, "-c", "API.TLS.SelfSigned")
    node.stop()
    data = env.directory / "node"
    for name in ("api_tls.crt", "api_tls.key"):
        (data / name).rename(env.directory / name)
    env.variables["BACALHAU_API_TLS_CAFILE"] = str(env.directory / "api_tls.crt")
    files = ("--tlscert", "api_tls.crt", "--tlskey", str(env.directory / "api_tls.key"))
    env.start_node(*PLAIN, *files)
    assert env.cli("agent", "alive").stdout == "Status: OK\n"
    assert not (data / "api_tls.crt").exists()
    exported = (data / "bacalhau.run").read_text()
    assert f"export BACALHAU_API_TLS_CAFILE={env.directory / 'api_tls.crt'}\n" in exported, (
        "nobody else vouches for it, so that the variables would be no use without it"
    )


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (["API.TLS.CertFile=/nowhere.crt"], "API.TLS.KeyFile is missing"),
        (["API.TLS.KeyFile=/nowhere.key"], "API.TLS.CertFile is missing"),
        (
            ["API.TLS.CertFile=/nowhere.crt", "API.TLS.KeyFile=/nowhere.key"],
            "/nowhere.crt cannot be read: No such file",
        ),
        (
            ["API.TLS.CertFile=no.pem", "API.TLS.KeyFile=no.pem"],
            "no.pem and no.pem are no certificate with its",
        ),
        (["API.TLS.AutoCert=example.com"], "certificates by ACME (API.TLS.AutoCert) are not"),
    ],
)
def test_no_plain_text_instead_of_tls(env: Env, flags: list[str], reason: str) -> None:
    (env.directory / "no.pem").write_text("no pem")
    assignments = [part for flag in flags for part in ("-c", flag)]
    outcome = env.cli("serve", "--data-dir", "data", "-c", "API.Port=0", *assignments)
    assert outcome.code == 1
    assert f"Error: the API cannot speak TLS: {reason}" in outcome.stderr


@pytest.mark.parametrize("content", [None, "no pem"])
def test_certificates_to_trust_that_are_none(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_text(content)
    outcome = run_cli("agent", "alive", "--tls", "--cacert", str(path))
    assert outcome.code == 1
    assert f"Error: the certificates in {path} cannot be used" in outcome.stderr


def test_a_server_without_tls(server: ServedApi) -> None:
    outcome = server.cli("agent", "alive", "-c", "API.TLS.UseTLS")
    assert outcome.code == 1
    address = f"https://127.0.0.1:{server.port}"
    assert f"Error: no secure connection to {address}: the server does not speak TLS\n" in (
        outcome.stderr
    )
    assert "needs -c API.TLS.UseTLS=false" in outcome.stderr
