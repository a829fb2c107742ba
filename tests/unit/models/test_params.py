"""Parameters of engines, sources and publishers (spec storage.md 1.1)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from bacalhau.errors import ValidationError
from bacalhau.models import InputSource, NetworkType, ParamsModel, SpecConfig
from bacalhau.models.decode import decode_params, unknown_params


class _Params(ParamsModel, frozen=True, kw_only=True):
    bucket: str = ""
    version_id: str = ""
    checksum_sha256: str = ""
    entrypoint: list[str] | None = None
    entry_module: str | InputSource | None = None
    environment_variables: list[str] | dict[str, str] | None = None
    read_write: bool = False
    limit: int = 0
    share: int | float = 0
    network: NetworkType | None = None
    gaps: list[str | None] = []


def _decode(params: dict[str, Any]) -> _Params:
    return decode_params(_Params, SpecConfig(type="x", params=params), "Tasks[0].Engine.Params")


def test_keys_match_in_any_case_and_unknown_ones_are_ignored() -> None:
    params = _decode({"bucket": "a", "VERSIONID": "v", "checksumsha256": "c", "Other": 1})
    assert (params.bucket, params.version_id, params.checksum_sha256) == ("a", "v", "c")


def test_the_exact_key_wins() -> None:
    assert _decode({"bucket": "a", "Bucket": "b", "BUCKET": "c"}).bucket == "b"


def test_null_is_the_zero_value_and_an_empty_list_is_not_null() -> None:
    assert _decode({"Bucket": None, "Entrypoint": None}) == _Params()
    assert _decode({"Entrypoint": []}).entrypoint == []


def test_either_form_of_a_union_is_read() -> None:
    assert _decode({"EntryModule": "/a"}).entry_module == "/a"
    module = _decode({"EntryModule": {"Source": {"Type": "s3"}}}).entry_module
    assert isinstance(module, InputSource)
    assert module.source.type == "s3"
    assert _decode({"EnvironmentVariables": ["A=1"]}).environment_variables == ["A=1"]
    assert _decode({"EnvironmentVariables": {"A": "1"}}).environment_variables == {"A": "1"}
    assert _decode({"Share": 0.5}).share == 0.5
    assert _decode({"Network": "full"}).network is NetworkType.FULL
    assert _decode({"Gaps": ["a", None]}).gaps == ["a", None]


@pytest.mark.parametrize(
    ("params", "path", "text"),
    [
        ({"Bucket": 5}, "Bucket", "expected a string, got the number 5"),
        ({"Limit": "5"}, "Limit", 'expected a whole number, got the string "5"'),
        ({"ReadWrite": "true"}, "ReadWrite", 'expected a boolean, got the string "true"'),
        ({"Entrypoint": "sh"}, "Entrypoint", "expected a list or null, got the string"),
        ({"Entrypoint": ["sh", None]}, "Entrypoint[1]", "expected a string, got null"),
        ({"EntryModule": 5}, "EntryModule", "got the number 5"),
        ({"EntryModule": {"Source": 5}}, "EntryModule.Source", "expected an object"),
        ({"Share": True}, "Share", "got the boolean true"),
        ({"EntryModule": 2**70}, "EntryModule", "got the number out of range"),
    ],
)
def test_wrong_types_are_told_with_their_path(params: dict[str, Any], path: str, text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _decode(params)
    assert caught.value.fields == (f"Tasks[0].Engine.Params.{path}",)
    assert text in caught.value.message


def test_unknown_parameters_are_listed() -> None:
    spec = SpecConfig(type="x", params={"zone": 1, "bucket": "b", "Alpha": 2, "ENTRYPOINT": None})
    assert unknown_params(_Params, spec) == ["Alpha", "zone"]


def test_parameters_are_written_whole_under_the_names_of_the_api() -> None:
    assert list(msgspec.to_builtins(_Params())) == [
        "Bucket",
        "VersionID",
        "ChecksumSHA256",
        "Entrypoint",
        "EntryModule",
        "EnvironmentVariables",
        "ReadWrite",
        "Limit",
        "Share",
        "Network",
        "Gaps",
    ]
