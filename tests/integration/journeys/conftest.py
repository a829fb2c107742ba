"""A node with an S3 server beside it, both real, and the word counter of the examples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bacalhau.testing import s3_server
from tests.support.docker import docker_daemon, docker_registry
from tests.support.engines import compile_text
from tests.support.env import Env, open_env
from tests.support.s3 import rgw_objects, s3_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["docker_daemon", "docker_registry", "rgw_objects", "s3_objects"]

REPOSITORY = Path(__file__).parents[3]
WORDCOUNT = REPOSITORY / "examples" / "wordcount" / "wordcount.wat"


@pytest.fixture
def env(tmp_path: Path) -> Iterator[Env]:
    """An environment without a node, with the server's credentials and ``wordcount.wasm``."""
    (tmp_path / "wordcount.wasm").write_bytes(compile_text(WORDCOUNT.read_text()))
    with open_env(tmp_path) as opened:
        opened.variables.update(s3_server.environment())
        yield opened
