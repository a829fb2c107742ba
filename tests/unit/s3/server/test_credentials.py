"""Where nothing can give credentials, that is known at once; where something can, it is asked."""

from __future__ import annotations

import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from bacalhau.lib.clock import SystemClock
from bacalhau.s3.server import credentials
from bacalhau.s3.server.credentials import CredentialChain

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def nothing_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A home, an environment and a machine without any credentials."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "BOTO_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = closed.getsockname()
    monkeypatch.setattr(credentials, "_METADATA_ADDRESS", address)


@pytest.fixture
def chain() -> Iterator[CredentialChain]:
    with ThreadPoolExecutor(1) as executor:
        yield CredentialChain(SystemClock(), executor)


async def test_without_any_source_there_are_none(
    chain: CredentialChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setitem(sys.modules, "botocore.session", None)
    assert await chain.current() is None
    assert await chain.default_region() == "eu-west-1"


async def test_the_region_for_other_programs_wins(
    chain: CredentialChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_REGION", "eu-north-1")
    assert await chain.default_region() == "eu-north-1"


async def test_the_environment_is_a_source(
    chain: CredentialChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert (await chain.current()).access_key == "key"


async def test_a_file_in_the_home_is_a_source(chain: CredentialChain, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = filed\naws_secret_access_key = secret\n"
    )
    (tmp_path / ".aws" / "config").write_text("[default]\nregion = sa-east-1\n")
    assert (await chain.current()).access_key == "filed"
    assert await chain.default_region() == "sa-east-1"


async def test_metadata_is_looked_for_unless_it_is_switched_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        monkeypatch.setattr(credentials, "_METADATA_ADDRESS", listening.getsockname())
        assert credentials._has_sources()
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "TRUE")
        assert not credentials._has_sources()
