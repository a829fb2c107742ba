"""Sessions of documents, typed into a real node: every command prints what stands there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.env import open_env
from tests.support.session import Translation, commands

REPOSITORY = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["README.md", "docs/how-to/get-results.md"])
def test_a_session_prints_what_the_page_says(page: str, tmp_path: Path) -> None:
    shutil.copytree(REPOSITORY / "examples", tmp_path / "examples")
    translation = Translation()
    typed = 0
    with open_env(tmp_path) as env:
        env.start_node()
        for command, printed in commands((REPOSITORY / page).read_text()):
            real = translation.command(command)
            done = subprocess.run(
                real.replace("bacalhau ", f"'{sys.executable}' -m bacalhau.cli.main ", 1),
                shell=True,
                cwd=tmp_path,
                env=dict(env.environment()),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{real}\n{done.stdout}"
            translation.compare(printed, done.stdout)
            typed += 1
    assert typed > 5
