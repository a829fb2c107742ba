"""By which names nodes and orchestrator speak of inputs."""

from __future__ import annotations

from typing import Any

import pytest

from bacalhau.models import SpecConfig
from bacalhau.models.fingerprint import fingerprint, is_divided

PARAMS = {"Bucket": "b", "Key": "data/*"}


def source(kind: str = "s3", **params: Any) -> SpecConfig:
    return SpecConfig(type=kind, params={**PARAMS, **params})


@pytest.mark.parametrize(
    "same",
    [
        source("S3 "),
        source(Region=""),
        source(Anonymous=False),
        SpecConfig(type="s3", params={"key": "data/*", "bucket": "b"}),
        source(Partition={"Type": "none"}),
    ],
    ids=["kind", "empty text", "false", "spelling and order", "not divided"],
)
def test_equal_sources_have_one_name_whatever_their_form(same: SpecConfig) -> None:
    plain = source(Partition={"Type": "none"}) if "Partition" in same.params else source()
    assert fingerprint(same, 1, 3) == fingerprint(plain, 2, 4)


@pytest.mark.parametrize(
    "other", [source("url"), source(Key="Data/*"), source(Region="eu"), source(Filter="x")]
)
def test_other_sources_have_other_names(other: SpecConfig) -> None:
    assert fingerprint(other) != fingerprint(source())


@pytest.mark.parametrize("form", [{"Type": "object"}, {"type": "Date", "DateFormat": "2006"}])
@pytest.mark.parametrize("name", ["Partition", "partition"])
def test_each_part_of_divided_data_has_a_name(form: dict[str, str], name: str) -> None:
    divided = SpecConfig(type="s3", params={**PARAMS, name: form})
    assert is_divided(divided)
    names = {fingerprint(divided, *part) for part in ((0, 1), (0, 2), (1, 2))}
    assert len(names) == 3


@pytest.mark.parametrize(
    "form", [None, {}, {"Type": ""}, {"Type": " NONE "}, {"Type": 1}, "object"]
)
def test_undivided_data_are_the_same_for_all(form: Any) -> None:
    assert not is_divided(source(Partition=form))


def test_parameters_of_any_content_have_a_name() -> None:
    odd = source(Headers=["ä", 1, 2.5, {"x": None}], Depth=10**30)
    assert len(fingerprint(odd)) == len(fingerprint(source()))
