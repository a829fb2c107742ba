"""Decoding: nothing is lost, and nothing crashes."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from bacalhau.errors import UserError, ValidationError
from bacalhau.models import Job
from bacalhau.models.decode import decode, decode_job, decode_json, decode_put_job
from bacalhau.models.jobfile import load_job
from bacalhau.models.submission import normalise, prepare
from bacalhau.models.validate import blank_publishers, validate_stored, validate_submission
from tests.support.job_strategies import job_like, jobs


@given(jobs)
def test_a_job_survives_json(job: Job) -> None:
    data = msgspec.json.encode(job)
    assert decode_json(Job, data) == job
    assert msgspec.json.decode(data, type=Job) == job


@given(jobs)
def test_keys_in_lower_case_give_the_same_job(job: Job) -> None:
    def lowered(value: Any, *, is_struct: bool) -> Any:
        if isinstance(value, list):
            return [lowered(item, is_struct=is_struct) for item in value]
        if not isinstance(value, dict) or not is_struct:
            return value
        maps = {"Meta", "Labels", "Env", "Details", "Params"}
        return {k.lower(): lowered(v, is_struct=k not in maps) for k, v in value.items()}

    assert decode(Job, lowered(msgspec.to_builtins(job), is_struct=True)) == job


@given(jobs)
def test_decoding_a_whole_job_as_a_document_changes_nothing(job: Job) -> None:
    assert decode_job(msgspec.to_builtins(job)) == (job, [])


@given(job_like)
def test_any_data_gives_a_job_or_a_validation_error_with_its_fields(data: object) -> None:
    try:
        job, _ = decode_job(data)
    except ValidationError as exc:
        exc.message.encode()  # can be sent and printed
    else:
        validate_stored(prepare(job)[0])


@given(st.binary(max_size=60) | job_like.map(lambda data: repr(data).encode("utf-8", "replace")))
def test_any_bytes_give_a_job_or_a_validation_error(body: bytes) -> None:
    with suppress(ValidationError):
        decode_put_job(body)


@given(st.text(max_size=80) | job_like.map(repr))
def test_any_text_gives_a_job_or_a_user_error(text: str) -> None:
    with suppress(UserError):
        load_job(text)


@given(jobs)
def test_normalising_twice_is_normalising_once(job: Job) -> None:
    once = normalise(job)
    assert normalise(once) == once


@given(jobs)
def test_a_prepared_job_needs_no_more_warnings(job: Job) -> None:
    prepared, _ = prepare(job)
    assert prepare(prepared) == (normalise(prepared), [])


@given(jobs)
def test_validation_judges_any_job_without_a_crash(job: Job) -> None:
    found = validate_submission(job)
    assert all(problem.text.encode("utf-8", "strict") for problem in found)
    assert set(found) <= {*blank_publishers(job), *validate_stored(job)}
