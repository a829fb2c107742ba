"""A server answers before it has loaded what only some of its work needs."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from bacalhau.config import Settings
from bacalhau.node.plugins import find_plugins

if TYPE_CHECKING:
    from collections.abc import Sequence

UNTIL_IT_ANSWERS = "import bacalhau.node, bacalhau.node.plugins"
LATER = ("aiodocker", "aiohttp", "botocore", "cryptography", "jwt", "wasmtime")
NEVER = ("greenlet", "pygments", "rich")


def loaded(program: str, names: Sequence[str]) -> list[str]:
    """Run a program in a fresh interpreter; return which of the modules it has loaded."""
    tail = f"\nimport sys, json; print(json.dumps([n for n in {list(names)} if n in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", program + tail],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_what_only_some_work_needs_is_not_loaded_at_the_start() -> None:
    assert loaded(UNTIL_IT_ANSWERS, (*LATER, *NEVER)) == []


def test_libraries_for_terminals_can_still_be_used_by_plug_ins() -> None:
    pytest.importorskip("rich", reason="rich is a tool for development")
    program = f"{UNTIL_IT_ANSWERS}\nimport rich.console, structlog; structlog.get_logger()"
    assert loaded(program, ("rich",)) == ["rich"]


def test_all_plug_ins_load_without_credentials_or_keys() -> None:
    program = (
        f"{UNTIL_IT_ANSWERS}\nfrom bacalhau.config import Settings\n"
        "bacalhau.node.plugins.find_plugins(Settings({})).load()"
    )
    assert loaded(program, ("botocore", "cryptography", "jwt", *NEVER)) == []


def test_plug_in_classes_know_their_names_before_they_are_loaded() -> None:
    classes = find_plugins(Settings({"Engines.Disabled": ("WASM",)}))
    assert list(classes.engines) == ["docker"]
    assert "wasm" not in classes.engines
    assert len(classes.sources) == len(list(classes.sources)) >= 5
    assert classes.engines.get("nothing") is None
    assert classes.engines["docker"].__name__ == "DockerEngine"
    assert classes.engines["docker"] is classes.engines["docker"]
