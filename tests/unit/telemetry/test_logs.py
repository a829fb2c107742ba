"""What the server writes to its log."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

_LIBRARY_LOGS = """
import logging
from bacalhau.telemetry.logs import configure

configure({level!r}, {mode!r})
logging.getLogger("some.package").warning("%s is odd\\n", "this")
"""


@pytest.mark.parametrize(
    ("level", "mode", "line"),
    [
        (
            "info",
            "default",
            'level=warning event=library_message library=some.package text="this is odd"',
        ),
        ("info", "cmd", "library_message [library:some.package] [text:this is odd]"),
        ("info", "json", '"message":"library_message","library":"some.package"'),
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


_LOGS_AND_GOES_ON = """
import logging, os, structlog
from bacalhau.telemetry.logs import configure

configure("info")
for number in range(2_000):
    structlog.get_logger().info("node_running", number=number)
logging.getLogger("some.package").warning("odd")
os.write(1, b"still here")
"""


@pytest.mark.parametrize("kind", ["a full disk", "a pipe that nobody reads any more"])
def test_a_log_that_cannot_be_written_ends_nothing(kind: str) -> None:
    """Where the log is, the disk may be full, the terminal or the reader of a pipe gone."""
    if kind == "a full disk":
        descriptor = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, descriptor = os.pipe()
        os.close(reader)
    command = [sys.executable, "-c", _LOGS_AND_GOES_ON]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=descriptor, check=True)
    finally:
        os.close(descriptor)
    assert done.stdout == b"still here"
