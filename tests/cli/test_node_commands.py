"""Looking at a node, and deciding on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from tests.support.cli import run_cli
from tests.support.golden_cli import assert_shape
from tests.support.stub_server import Stub, stub_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.cli import Outcome, ServedApi


@pytest.fixture
def stub() -> Iterator[Stub]:
    """A server that has taken whatever decision it was asked for."""
    with stub_server() as served:
        served.answer = {"Success": True}
        yield served


def decide(stub: Stub, *arguments: str) -> Outcome:
    return run_cli("node", *arguments, "--api-port", str(stub.port))


def test_describe(server: ServedApi) -> None:
    node = yaml.safe_load(server.cli("node", "describe", "n-here").stdout)
    assert list(node) == ["Connection", "Info", "Membership"]
    assert node["Info"]["NodeID"] == "n-here"
    as_json = server.cli("node", "describe", "n-here", "--output", "json")
    assert as_json.stdout.startswith('{"Info":{"NodeID":"n-here"')


def test_an_unknown_node(server: ServedApi) -> None:
    outcome = server.cli("node", "describe", "n-none")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert "\nError: node not found: n-none" in outcome.stderr


@pytest.mark.parametrize("action", ["approve", "reject", "delete"])
def test_decisions(stub: Stub, action: str) -> None:
    outcome = decide(stub, action, "n-5ac1b2d3")
    assert (outcome.code, outcome.stdout, outcome.stderr) == (0, "Ok\n", "")
    body = {"Action": action, "Message": "", "NodeID": "n-5ac1b2d3"}
    assert stub.requests == [("PUT", "/api/v1/orchestrator/nodes/n-5ac1b2d3", body)]


@pytest.mark.parametrize("flag", ["-m", "--message"])
def test_a_decision_says_why(stub: Stub, flag: str) -> None:
    decide(stub, "reject", "a/b", flag, "disk is failing")
    body = {"Action": "reject", "Message": "disk is failing", "NodeID": "a/b"}
    assert stub.requests == [("PUT", "/api/v1/orchestrator/nodes/a%2Fb", body)]


def test_a_refused_decision_is_told_and_is_no_failure(stub: Stub) -> None:
    stub.answer = {"Success": False, "Error": "node already approved"}
    outcome = decide(stub, "approve", "n-5ac1b2d3")
    assert outcome.stderr == "Failed to approve node n-5ac1b2d3: node already approved\n"
    assert_shape(outcome, "node-approve-approved")


def test_a_server_that_fails_is_a_failure(stub: Stub) -> None:
    stub.status = 403
    stub.answer = {"Status": 403, "Message": "not yours to decide", "Code": "Forbidden"}
    outcome = decide(stub, "delete", "n-1")
    assert (outcome.code, outcome.stdout) == (1, "")
    assert outcome.stderr.startswith("\nError: not yours to decide")


@pytest.mark.parametrize("action", ["describe", "approve", "reject", "delete"])
def test_a_node_has_to_be_named(action: str) -> None:
    assert "accepts 1 arg(s), received 0" in run_cli("node", action).stderr
