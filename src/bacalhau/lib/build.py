"""Which program this is (spec api.md 1.14, 4.2). Imports next to nothing: `version` needs it."""

from __future__ import annotations

import os
import sys

GIT_VERSION = "v1.5.2"
GIT_COMMIT = ""
BUILD_DATE = "0001-01-01T00:00:00Z"

_GO_NAMES = {"x86_64": "amd64", "AMD64": "amd64", "aarch64": "arm64", "armv7l": "arm"}


def build_fields() -> dict[str, str]:
    """Return the version object of the API, by its JSON names."""
    major, minor = GIT_VERSION.removeprefix("v").split(".")[:2]
    machine = os.uname().machine
    return {
        "Major": major,
        "Minor": minor,
        "GitVersion": GIT_VERSION,
        "GitCommit": GIT_COMMIT,
        "BuildDate": BUILD_DATE,
        "GOOS": sys.platform,
        "GOARCH": _GO_NAMES.get(machine, machine),
    }


def build_headers() -> dict[str, str]:
    """Return the five headers that client and server tell each other."""
    fields = build_fields()
    return {
        "X-Bacalhau-Git-Version": fields["GitVersion"],
        "X-Bacalhau-Git-Commit": fields["GitCommit"],
        "X-Bacalhau-Build-Date": go_time(fields["BuildDate"]),
        "X-Bacalhau-Build-OS": fields["GOOS"],
        "X-Bacalhau-Arch": fields["GOARCH"],
    }


def go_time(rfc3339: str) -> str:
    """Return a UTC time as Go prints it: ``2024-10-29 15:51:32 +0000 UTC``."""
    return f"{rfc3339[:10]} {rfc3339[11:19]} +0000 UTC"
