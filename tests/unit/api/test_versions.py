"""Versions of clients, and what older ones are sent."""

from __future__ import annotations

import msgspec
import pytest

from bacalhau.api.versions import Version, history_for, parse_version, version_headers
from bacalhau.models import Event, ExecutionID, HistoryType, JobHistory, JobID
from tests.support.api_server import VERSION

_EVENT = Event(message="m", topic="t", timestamp="2024-11-20T12:00:00Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("v1.5.2", Version(1, 5, 2)),
        ("1.5.2", Version(1, 5, 2)),
        ("v1.5", Version(1, 5, 0)),
        ("v1.4.0-rc1", Version(1, 4, 0, is_release=False)),
        ("v1.5.2+build.7", Version(1, 5, 2)),
        ("v1.5.2-3-gabcdef0", Version(1, 5, 2, is_release=False)),
    ],
)
def test_reads_semantic_versions(text: str, expected: Version) -> None:
    assert parse_version(text) == expected


@pytest.mark.parametrize("text", ["nonsense", "v", "1.2.3.4", "v1.x", "", "v1.5.2 "])
def test_refuses_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="is not a version"):
        parse_version(text)


def test_versions_are_ordered_as_numbers_and_releases_come_last() -> None:
    texts = ["v1.10.0", "v1.4.0-rc1", "v1.9.3", "v1.4.0"]
    assert sorted(texts, key=parse_version) == ["v1.4.0-rc1", "v1.4.0", "v1.9.3", "v1.10.0"]


@pytest.mark.parametrize("text", ["v0.0.0", "v0.0.0-xxxxxxx"])
def test_development_builds_do_not_know_their_version(text: str) -> None:
    assert parse_version(text).is_development


def _history(kind: HistoryType) -> JobHistory:
    execution = ExecutionID("e-1" if kind is HistoryType.EXECUTION_LEVEL else "")
    return JobHistory(
        seq_num=1, type=kind, job_id=JobID("j-1"), execution_id=execution, event=_EVENT
    )


@pytest.mark.parametrize(
    ("kind", "key"),
    [(HistoryType.JOB_LEVEL, "JobState"), (HistoryType.EXECUTION_LEVEL, "ExecutionState")],
)
def test_old_clients_get_the_object_that_they_insist_on(kind: HistoryType, key: str) -> None:
    (item,) = history_for(Version(1, 4, 0), [_history(kind)])
    sent = msgspec.to_builtins(item)
    assert list(sent)[-1] == key
    assert sent.pop(key) == {}
    assert sent == msgspec.to_builtins(_history(kind))


@pytest.mark.parametrize("client", [None, Version(1, 5, 0), Version(1, 9, 3)])
def test_other_clients_get_events_as_they_are(client: Version | None) -> None:
    items = [_history(HistoryType.JOB_LEVEL)]
    assert history_for(client, items) == items


def test_the_build_date_has_the_form_that_go_clients_print() -> None:
    built = msgspec.structs.replace(VERSION, build_date="2024-10-29T17:51:32+02:00")
    assert (
        dict(version_headers(built))[b"X-Bacalhau-Build-Date"] == b"2024-10-29 15:51:32 +0000 UTC"
    )
