"""What the server writes to its log."""

from __future__ import annotations

import subprocess
import sys

import pytest

_LIBRARY_LOGS = """
import logging
from bacalhau.telemetry.logs import configure

configure({level!r}, {mode!r})
logging.getLogger("some.library").warning("%s is odd\\n", "this")
"""


@pytest.mark.parametrize(
    ("level", "mode", "line"),
    [
        (
            "info",
            "default",
            'level=warning event=library_message library=some.library text="this is odd"',
        ),
        ("info", "cmd", "library_message [library:some.library] [text:this is odd]"),
        ("info", "json", '"message":"library_message","library":"some.library"'),
        ("error", "default", ""),
        ("disabled", "default", ""),
    ],
)
def test_what_libraries_log_has_the_form_of_our_lines(level: str, mode: str, line: str) -> None:
    script = _LIBRARY_LOGS.format(level=level, mode=mode)
    # A process of its own: logging is set up once in each.
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert line in done.stderr
    assert len(done.stderr.splitlines()) == bool(line)
