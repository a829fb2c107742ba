"""How many files a node may have open."""

from __future__ import annotations

import resource
import subprocess
import sys

_SHOW = (
    "import resource; from bacalhau.node.file_limit import allow_many_files; allow_many_files();"
    "print(*resource.getrlimit(resource.RLIMIT_NOFILE))"
)


def test_the_limit_is_raised_as_far_as_the_system_lets_it() -> None:
    command = f'ulimit -S -n 128; ulimit -H -n 700; exec "{sys.executable}" -c "{_SHOW}"'
    shown = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=True, text=True)
    assert shown.stdout.split() == ["700", "700"]


def test_a_limit_that_is_higher_stays() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    shown = subprocess.run(
        [sys.executable, "-c", _SHOW], capture_output=True, check=True, text=True
    )
    assert int(shown.stdout.split()[0]) >= soft
    assert int(shown.stdout.split()[1]) == hard
