"""Submissions recorded from v1.5.2, and what it answered.

A file holds the body as it was sent, the status, the message where it is short enough to be
compared, and the number of warnings.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bacalhau.errors import UserError
from bacalhau.models import Job, JobID
from bacalhau.models.decode import decode_put_job
from bacalhau.models.defaults import TaskDefaults, apply_defaults
from bacalhau.models.submission import prepare
from bacalhau.models.validate import raise_for, validate_stored, validate_submission

_FOLDER = Path(__file__).parents[2] / "data" / "golden-submissions"
_ABOUT_CONTENT_TYPE = {"form-content-type", "no-headers-content-type", "wrong-content-type"}
_STRICTER = {
    "accepted-constraint-bad-operator": "Constraints[0].Operator",
    "accepted-constraint-gt-not-number": "Constraints[0].Values",
    "accepted-constraint-no-operator": "Constraints[0].Operator",
    "accepted-daemon-with-count": "Count",
    "accepted-docker-image-missing": "Tasks[0].Engine.Params.Image",
    "accepted-docker-params-null": "Tasks[0].Engine.Params.Image",
    "accepted-docker-params-wrong-type": "Tasks[0].Engine.Params.Parameters",
    "accepted-docker-relative-workdir": "Tasks[0].Engine.Params.WorkingDirectory",
    "accepted-env-reserved-prefix": "Tasks[0].Env['BACALHAU_X']",
    "accepted-label-invalid-key": "Labels['bad key!']",
    "accepted-label-invalid-value": "Labels['k']",
    "accepted-namespace-with-space": "Namespace",
    "accepted-network-domain-invalid": "Tasks[0].Network.Domains[0]",
    "accepted-network-domains-with-none": "Tasks[0].Network.Domains",
    "accepted-publisher-blank-spaces": "Tasks[0].Publisher.Type",
    "accepted-resources-null": "Tasks[0].Resources",
    "accepted-s3-input-no-bucket": "Tasks[0].InputSources[0].Source.Params.Bucket",
    "accepted-s3-publisher-no-bucket": "Tasks[0].Publisher.Params.Bucket",
    "accepted-two-tasks": "Tasks",
    "accepted-wasm-entry-module-string": "Tasks[0].Engine.Params.EntryModule",
    "accepted-wasm-no-entry-module": "Tasks[0].Engine.Params.EntryModule",
}
_FIELDS = {
    "array-body": "Job",
    "bad-json": "",
    "empty-body": "",
    "invalid-constraint-in-no-values": "Constraints[0].Values",
    "invalid-constraint-no-key": "Constraints[0].Key",
    "invalid-count-string": "Count",
    "invalid-cpu-invalid": "Tasks[0].Resources.CPU",
    "invalid-cpu-negative": "Tasks[0].Resources.CPU",
    "invalid-disk-invalid": "Tasks[0].Resources.Disk",
    "invalid-engine-missing": "Tasks[0].Engine",
    "invalid-engine-null": "Tasks[0].Engine",
    "invalid-engine-type-missing": "Tasks[0].Engine.Type",
    "invalid-execution-timeout-negative": "Tasks[0].Timeouts.ExecutionTimeout",
    "invalid-gpu-invalid": "Tasks[0].Resources.GPU",
    "invalid-gpu-negative": "Tasks[0].Resources.GPU",
    "invalid-input-source-blank-type": "Tasks[0].InputSources[0].Source.Type",
    "invalid-input-source-duplicate-alias": "Tasks[0].InputSources[1].Alias",
    "invalid-input-source-duplicate-target": "Tasks[0].InputSources[1].Target",
    "invalid-input-source-missing-target": "Tasks[0].InputSources[0].Target",
    "invalid-input-source-no-source": "Tasks[0].InputSources[0].Source",
    "invalid-input-source-null": "Tasks[0].InputSources[0]",
    "invalid-labels-list": "Labels",
    "invalid-memory-invalid": "Tasks[0].Resources.Memory",
    "invalid-memory-negative": "Tasks[0].Resources.Memory",
    "invalid-meta-number": "Meta.a",
    "invalid-missing-job": "",
    "invalid-missing-type": "Type",
    "invalid-name-blank": "Name",
    "invalid-name-null-byte": "Name",
    "invalid-namespace-blank": "Namespace",
    "invalid-negative-count": "Count",
    "invalid-network-type-invalid": "Tasks[0].Network.Type",
    "invalid-network-type-number": "Tasks[0].Network.Type",
    "invalid-no-tasks": "Tasks",
    "invalid-null-job": "",
    "invalid-null-task": "Tasks[0]",
    "invalid-null-tasks": "Tasks",
    "invalid-priority-string": "Priority",
    "invalid-queue-timeout-negative": "Tasks[0].Timeouts.QueueTimeout",
    "invalid-result-path-duplicate-name": "Tasks[0].ResultPaths[1].Name",
    "invalid-result-path-duplicate-path": "Tasks[0].ResultPaths[1].Path",
    "invalid-result-path-no-name": "Tasks[0].ResultPaths[0].Name",
    "invalid-result-path-no-path": "Tasks[0].ResultPaths[0].Path",
    "invalid-result-paths-without-publisher": "Tasks[0].Publisher",
    "invalid-task-name-blank": "Tasks[0].Name",
    "invalid-task-name-missing": "Tasks[0].Name",
    "invalid-timeout-string": "Tasks[0].Timeouts.ExecutionTimeout",
    "invalid-total-less-than-execution": "Tasks[0].Timeouts.TotalTimeout",
    "invalid-total-timeout-negative": "Tasks[0].Timeouts.TotalTimeout",
    "invalid-unknown-type": "Type",
    "type-uppercase": "Type",
    "yaml-body": "",
}


def _load(name: str) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text())
    return recorded


_RECORDED = {path.stem: _load(path.stem) for path in sorted(_FOLDER.glob("*.json"))}
_REFUSED = [
    name
    for name, recorded in _RECORDED.items()
    if recorded["status"] != 200 and name not in _ABOUT_CONTENT_TYPE
]
_ACCEPTED = [name for name, recorded in _RECORDED.items() if recorded["status"] == 200]


def _submit(name: str) -> tuple[Job, list[str]]:
    """Take a recorded body through all that happens before a job is stored."""
    body = _RECORDED[name]["body"]
    text = body if isinstance(body, str) else json.dumps(body)
    data = text.replace("<image>", "busybox").replace("<registry>", "docker.io").encode()
    job, warnings = decode_put_job(data)
    raise_for(validate_submission(job))
    job, more = prepare(job)
    job = replace(apply_defaults(job, TaskDefaults()), id=job.id or JobID("j-1"))
    job = replace(job, name=job.name or job.id)
    raise_for(validate_stored(job))
    return job, [*warnings, *more]


def test_all_recorded_refusals_are_here() -> None:
    assert len([name for name in _REFUSED if name.startswith("invalid-")]) == 47
    assert set(_REFUSED) == set(_FIELDS)


@pytest.mark.parametrize("name", _REFUSED)
def test_what_v152_refuses_is_refused_and_the_field_is_named(name: str) -> None:
    with pytest.raises(UserError) as caught:
        _submit(name)
    error = caught.value
    expected = (_FIELDS[name],) if _FIELDS[name] else ()
    assert error.fields == expected
    for field in error.fields:
        assert field in error.message or field.lower() in error.message.lower().replace(" ", "")


@pytest.mark.parametrize(
    "name",
    [name for name in _REFUSED if not _RECORDED[name]["message"].startswith(("<", "Internal"))],
)
def test_short_messages_are_those_of_v152(name: str) -> None:
    with pytest.raises(UserError) as caught:
        _submit(name)
    assert caught.value.message == _RECORDED[name]["message"]


@pytest.mark.parametrize("name", [name for name in _ACCEPTED if name not in _STRICTER])
def test_what_v152_accepts_is_accepted_with_as_many_warnings(name: str) -> None:
    _, warnings = _submit(name)
    assert len(warnings) == _RECORDED[name]["warnings"]


@pytest.mark.parametrize(("name", "field"), _STRICTER.items())
def test_what_could_never_run_is_refused_at_once(name: str, field: str) -> None:
    assert _RECORDED[name]["status"] == 200
    with pytest.raises(UserError) as caught:
        _submit(name)
    assert caught.value.fields == (field,)
    assert caught.value.hint


def test_a_missing_count_is_one_and_an_explicit_zero_stays() -> None:
    assert _submit("docker-minimal")[0].count == 1
    assert _submit("count-zero")[0].count == 0
    assert _submit("daemon")[0].count == 1
    assert _submit("ops-with-count")[0].count == 3
