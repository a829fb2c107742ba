"""Limits of the API that an operator can set."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

import pytest

from tests.support.env import Env, open_env

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ALIVE = "/api/v1/agent/alive"


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    with open_env(tmp_path) as opened:
        yield opened


def test_the_size_and_the_rate_of_requests_are_settings(env: Env) -> None:
    node = env.start_node(
        *("-c", "Compute.Enabled=false", "-c", "API.MaxBodySize=2kB"),
        *("-c", "API.MaxRequestsPerSecond=50"),
    )
    large = env.cli("docker", "run", "ubuntu", "x" * 3000)
    assert large.code == 1
    assert "Request Entity Too Large" in large.stderr
    assert "2000 bytes at most" in large.stderr
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=30)
    statuses = set()
    for _ in range(200):
        connection.request("GET", _ALIVE)
        with connection.getresponse() as answer:
            answer.read()
            statuses.add(answer.status)
    connection.close()
    assert statuses == {200, 429}
