"""What probes are told of a job."""

from __future__ import annotations

import msgspec
import pytest

from bacalhau.compute.probe_payload import probe_payload
from bacalhau.models import SpecConfig
from bacalhau.models.decode import decode_put_job
from tests.support.records import make_job, make_task


def test_is_the_whole_job_as_the_api_shows_it() -> None:
    job = make_job(task=make_task(env={"A": "b"}))
    payload = probe_payload(job)
    assert list(msgspec.json.decode(payload)) == ["Job"]
    assert decode_put_job(payload) == (job, [])


def test_too_large_a_job_is_not_judged() -> None:
    params = {"Text": "x" * 10 * 2**20}
    job = make_job(task=make_task(engine=SpecConfig(type="wasm", params=params)))
    with pytest.raises(ValueError, match="accept jobs larger than 10 MiB"):
        probe_payload(job)


@pytest.mark.parametrize(("length", "is_fine"), [(1000, True), (1001, False)])
def test_too_long_a_list_is_not_judged(length: int, is_fine: bool) -> None:
    params = {"Deep": [{"Parameters": ["x"] * length}]}
    job = make_job(task=make_task(engine=SpecConfig(type="wasm", params=params)))
    if is_fine:
        assert probe_payload(job)
        return
    with pytest.raises(ValueError, match="lists of more than 1000 elements"):
        probe_payload(job)
