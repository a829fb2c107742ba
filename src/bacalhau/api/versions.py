"""Versions of clients, and what older ones need (spec api.md 4.2)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from bacalhau.models import BuildVersionInfo, HistoryType, JobHistory

if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION_HEADER = "x-bacalhau-git-version"

_VERSION = re.compile(
    r"v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"
)


class Version(NamedTuple):
    """A semantic version; a pre-release comes before its release."""

    major: int
    minor: int
    patch: int
    is_release: bool = True

    @property
    def is_development(self) -> bool:
        """True for builds that do not know their version."""
        return self[:3] == (0, 0, 0)


MINIMUM_VERSION = Version(1, 4, 0)
_FIRST_WITH_EVENTS = Version(1, 5, 0)
_FIRST_WITH_NODE_ERRORS = Version(1, 6, 0)


def parse_version(text: str) -> Version:
    """Read a semantic version, with or without its ``v``.

    Raises:
        ValueError: it is none.
    """
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ValueError(f'"{text}" is not a version such as v1.5.2')
    major, minor, patch = (int(part or 0) for part in match.groups()[:3])
    return Version(major, minor, patch, is_release=match[4] is None)


def knows_node_errors(client: Version | None) -> bool:
    """True for clients to which a decision on a node that cannot be taken is an error."""
    return client is not None and client >= _FIRST_WITH_NODE_ERRORS


class OldJobHistory(JobHistory, frozen=True, kw_only=True, omit_defaults=True):
    """An event with the empty object without which v1.4 crashes."""

    job_state: dict[str, str] | None = None
    execution_state: dict[str, str] | None = None


def history_for(client: Version | None, items: Sequence[JobHistory]) -> list[JobHistory]:
    """Return events in the form that a client understands; None is a client of any age."""
    if client is None or client >= _FIRST_WITH_EVENTS:
        return list(items)
    return [_old_history(item) for item in items]


def _old_history(item: JobHistory) -> OldJobHistory:
    is_job = item.type is HistoryType.JOB_LEVEL
    return OldJobHistory(
        seq_num=item.seq_num,
        type=item.type,
        job_id=item.job_id,
        execution_id=item.execution_id,
        event=item.event,
        time=item.time,
        job_state={} if is_job else None,
        execution_state=None if is_job else {},
    )


def version_headers(version: BuildVersionInfo) -> list[tuple[bytes, bytes]]:
    """Return the headers that tell clients which program answers."""
    built = datetime.fromisoformat(version.build_date).astimezone(UTC).replace(tzinfo=None)
    headers = {
        "X-Bacalhau-Git-Version": version.git_version,
        "X-Bacalhau-Git-Commit": version.git_commit,
        "X-Bacalhau-Build-Date": f"{built.isoformat(sep=' ')} +0000 UTC",
        "X-Bacalhau-Build-OS": version.goos,
        "X-Bacalhau-Arch": version.goarch,
    }
    return [(name.encode(), value.encode()) for name, value in headers.items()]
