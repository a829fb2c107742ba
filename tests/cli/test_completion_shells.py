"""The scripts of `bacalhau completion` in the shells that they are for."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

from tests.support.docker import unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

_SECONDS = 30.0
_ZSHRC = """
autoload -Uz compinit
compinit -u -D
{setup}
report() {{ print -r -- "$BUFFER" >> $HOME/lines; BUFFER= }}
zle -N report
bindkey '^X' report
print READY
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the program in its folder ``bin``."""
    program = tmp_path / "bin" / "bacalhau"
    program.parent.mkdir()
    command = f"{shlex.quote(sys.executable)} -m bacalhau.cli.main"
    program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    program.chmod(0o755)
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    path = f"{home}/bin:{os.environ['PATH']}"
    return {**os.environ, "HOME": str(home), "PATH": path, "TERM": "dumb", "ZDOTDIR": str(home)}


def installed(shell: str) -> str:
    found = shutil.which(shell)
    if found is None:
        unavailable(f"{shell} is missing: install the package {shell}")
    return found


@pytest.mark.parametrize(
    ("line", "candidates"),
    [
        ("bacalhau jo", ["job\tSubmit, look at and stop jobs."]),
        ("bacalhau -c 'API.Host=a b' job sto", ["stop\tStop a job."]),
        ("bacalhau job list --order-r", ["--order-reversed\tReverse the order."]),
        ("bacalhau job list --output ", ["table", "csv", "json", "yaml"]),
        ("bacalhau job list --output=js", ["--output=json"]),
        ("bacalhau job run a-fi", ["a-file.yaml"]),
        ("bacalhau wasm nonsense --f", []),
        ("~/bin/bacalhau wasm v", ["validate\tCheck that a WebAssembly module can run."]),
        ("cod wasm v", ["validate\tCheck that a WebAssembly module can run."]),
    ],
)
def test_fish(home: Path, line: str, candidates: list[str]) -> None:
    (home / "a-file.yaml").touch()
    script = "bacalhau completion fish | source; alias cod bacalhau; complete -C $argv[1]"
    done = subprocess.run(
        [installed("fish"), "--no-config", "-c", script, line],
        capture_output=True,
        text=True,
        timeout=_SECONDS,
        check=False,
        cwd=home,
        env=environment(home),
    )
    assert (done.stdout.splitlines(), done.stderr) == (candidates, "")


@pytest.mark.parametrize("is_installed", [False, True], ids=["sourced", "in fpath"])
def test_zsh(home: Path, is_installed: bool) -> None:
    setup = "source <(bacalhau completion zsh)"
    if is_installed:
        setup = f"bacalhau completion zsh > {home}/bin/_bacalhau\nfpath+={home}/bin\ncompinit -u -D"
    (home / "a-file.yaml").touch()
    completed = {
        "bacalhau jo": "bacalhau job ",
        "bacalhau -c 'API.Host=a b' job sto": "bacalhau -c 'API.Host=a b' job stop ",
        "bacalhau job list --order-r": "bacalhau job list --order-reversed ",
        "bacalhau job list --output=js": "bacalhau job list --output=json ",
        "bacalhau -c API.H": "bacalhau -c API.Host=",
        "bacalhau job run a-fi": "bacalhau job run a-file.yaml ",
        "~/bin/bacalhau wasm v": "~/bin/bacalhau wasm validate ",
        "cod wasm v": "cod wasm validate ",
    }
    with terminal(home, f"{setup}\nalias cod=bacalhau") as typed:
        assert {line: typed(line)[0] for line in completed} == completed
        line, shown = typed("bacalhau wasm ")
    assert line == "bacalhau wasm "
    assert "validate  -- Check that a WebAssembly module can run." in shown


@contextmanager
def terminal(home: Path, setup: str) -> Iterator[Callable[[str], tuple[str, str]]]:
    """Run zsh, and yield what types a line and Tab, and returns the line then and the screen."""
    program = installed("zsh")
    (home / ".zshrc").write_text(_ZSHRC.format(setup=setup))
    lines = home / "lines"
    lines.touch()
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [program, "-d", "-i"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=home,
        env={**environment(home), "COLUMNS": "100", "LINES": "50"},
        start_new_session=True,
    ) as shell:
        os.close(theirs)

        def seen(is_done: Callable[[bytes], bool]) -> str:
            screen = b""
            end = time.monotonic() + _SECONDS  # noqa: TID251 - real processes, real time
            while not is_done(screen):
                assert time.monotonic() < end, screen  # noqa: TID251
                if select.select([ours], [], [], 0.05)[0]:
                    screen += os.read(ours, 65536)
            return screen.decode()

        def typed(line: str) -> tuple[str, str]:
            before = len(lines.read_text().splitlines())
            os.write(ours, f"{line}\t\x18".encode())
            shown = seen(lambda _: len(lines.read_text().splitlines()) > before)
            return lines.read_text().splitlines()[-1], shown

        try:
            seen(lambda screen: b"READY" in screen)
            yield typed
        finally:
            shell.kill()
            with suppress(OSError):
                os.close(ours)
