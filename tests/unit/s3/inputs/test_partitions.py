"""Which objects belong to which execution: the published algorithm, and ours (storage.md 9.1)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from bacalhau.errors import UserError, ValidationError
from bacalhau.models import SpecConfig
from bacalhau.models.decode import decode_params
from bacalhau.models.specs.s3 import S3SourceParams
from bacalhau.ports import WHOLE, InputPlan, Partition, PlannedObject
from bacalhau.s3.inputs.keys import listing_prefix
from bacalhau.s3.inputs.partitions import balanced, check_part, hash_of, index_function, take_part

if TYPE_CHECKING:
    from collections.abc import Iterator

VECTORS = {
    "logs/2024-01-15/a.log": (3791626698, 0, 0, 2, 3),
    "logs/2024-01-16/a.log": (2917222443, 1, 0, 3, 3),
    "logs/readme.txt": (2391019023, 1, 0, 3, 3),
    "u/1.bin": (2710240315, 1, 1, 3, 0),
    "u/2.bin": (498394050, 0, 0, 2, 0),
    "u/3.bin": (1843013, 1, 2, 1, 3),
    "u/4.bin": (2982688508, 0, 2, 0, 3),
    "2024-01-15": (1396065120, 0, 0, 0, 0),
    "2024-01-16": (1446397977, 1, 0, 1, 2),
    "us": (1178800089, 1, 0, 1, 4),
    "us\x1f2024": (2271812406, 0, 0, 2, 1),
    "00": (569209421, 1, 2, 1, 1),
    "日本": (2670128721, 1, 0, 1, 1),
    "": (2166136261, 1, 1, 1, 1),
}


@pytest.mark.parametrize("key", VECTORS)
def test_hash(key: str) -> None:
    value, *indices = VECTORS[key]
    assert hash_of(key.encode()) == value
    assert [value % count for count in (2, 3, 4, 5)] == indices


@pytest.mark.parametrize("key", VECTORS)
@pytest.mark.parametrize("count", [2, 3, 4, 5])
def test_object_goes_by_the_whole_key(key: str, count: int) -> None:
    assert index_of(key, count, Type="object") == VECTORS[key][count - 1]


def index_of(key: str, count: int, prefix: str = "", **partition: Any) -> int:
    spec = SpecConfig(type="s3", params={"Bucket": "b", "Key": prefix, "Partition": partition})
    params = decode_params(S3SourceParams, spec)
    return index_function(params.partition, count, listing_prefix(params.key))(key)


def divided(keys: str, count: int, prefix: str = "", **partition: Any) -> list[list[str]]:
    parts: list[list[str]] = [[] for _ in range(count)]
    for key in keys.split():
        parts[index_of(key, count, prefix, **partition)].append(key)
    return parts


@pytest.mark.parametrize(
    ("keys", "count", "prefix", "partition", "expected"),
    [
        ("u/1 u/2 u/3 u/4", 2, "u/", {"Type": "object"}, None),
        (
            "prefix/001.txt prefix/002.txt prefix/003.txt prefix/abc.txt",
            3,
            "prefix/",
            {"Type": "regex", "Pattern": r"00\d"},
            [["prefix/001.txt", "prefix/002.txt", "prefix/abc.txt"], ["prefix/003.txt"], []],
        ),
        (
            "prefix/1.txt prefix/2.txt prefix/3.txt prefix/a.txt",
            2,
            "prefix/*",
            {"Type": "REGEX", "Pattern": r"\d"},
            [["prefix/1.txt", "prefix/3.txt", "prefix/a.txt"], ["prefix/2.txt"]],
        ),
        (
            "prefix/data1 prefix/data2",
            2,
            "prefix/",
            {"Type": "regex", "Pattern": "()"},
            [["prefix/data1", "prefix/data2"], []],
        ),
        (
            "logs/2024-01-15.log logs/2024-01-16.log logs/readme",
            2,
            "logs/",
            {"Type": "date", "DateFormat": "2006-01-02"},
            [["logs/2024-01-15.log", "logs/readme"], ["logs/2024-01-16.log"]],
        ),
        (
            "s/日本x s/a",
            2,
            "s/",
            {"type": "substring", "startindex": 0, "endindex": 2},
            [["s/a"], ["s/日本x"]],
        ),
    ],
    ids=["object", "P03", "P04", "P05", "P06", "P07"],
)
def test_rows(
    keys: str,
    count: int,
    prefix: str,
    partition: dict[str, Any],
    expected: list[list[str]] | None,
) -> None:
    parts = divided(keys, count, prefix, **partition)
    assert sorted(key for part in parts for key in part) == sorted(keys.split())
    if expected is not None:
        assert parts == expected


@pytest.mark.parametrize(
    ("key", "partition", "same_as"),
    [
        ("l/us/2024/x", {"Type": "regex", "Pattern": r"^(\w+)/(\d+)/"}, "us\x1f2024"),
        ("l/us/2024/x", {"Type": "regex", "Pattern": r"^(\w+)/(z)?"}, "us"),
        ("l/us/2024/x", {"Type": "regex", "Pattern": r"^\w+"}, "us"),
        ("l//us/x", {"Type": "substring", "StartIndex": 0, "EndIndex": 2}, "us"),
        ("l/2024-01-16.log", {"Type": "date", "DateFormat": "%Y-%m-%d"}, "2024-01-16"),
        ("l/2024-01-16", {"Type": "date", "DateFormat": "2006-01-02"}, "2024-01-16"),
    ],
)
def test_partition_keys(key: str, partition: dict[str, Any], same_as: str) -> None:
    """Groups are joined with 0x1F; one slash after the prefix does not count."""
    for count in (2, 3, 4, 5):
        assert index_of(key, count, "l/", **partition) == VECTORS[same_as][count - 1]


@pytest.mark.parametrize(
    ("key", "partition"),
    [
        ("l/x", {"Type": "regex", "Pattern": r"\d"}),
        ("l/", {"Type": "regex", "Pattern": "x*"}),
        ("l/x", {"Type": "substring", "StartIndex": 0, "EndIndex": 2}),
        ("l/2024-1-16", {"Type": "date", "DateFormat": "2006-01-02"}),
        ("l/2024-01-16", {"Type": "date", "DateFormat": "2006-1-2"}),
        ("l/2024-01-16", {"Type": "date", "DateFormat": "YYYY-MM-DD"}),
    ],
)
def test_what_has_no_partition_key_belongs_to_the_first(
    key: str, partition: dict[str, Any]
) -> None:
    assert [index_of(key, count, "l/", **partition) for count in (2, 3, 4, 5)] == [0, 0, 0, 0]


def planned(**sizes: int) -> list[PlannedObject]:
    return [
        PlannedObject(key=key, path=key, size_bytes=size, etag=f'"{key}"')
        for key, size in sizes.items()
    ]


def names(objects: tuple[PlannedObject, ...]) -> str:
    return " ".join(item.key for item in objects)


def test_balanced_by_bytes() -> None:
    objects = planned(a=1, b=7, c=4, d=5, e=4)
    parts = [balanced(objects, Partition(index=index, count=2)) for index in range(2)]
    assert [names(part) for part, _ in parts] == ["b e", "a c d"]
    assert len({listing for _, listing in parts}) == 1


def test_balanced_spreads_empty_objects() -> None:
    objects = planned(a=0, b=0, c=0, d=0)
    parts = [balanced(objects, Partition(index=index, count=3))[0] for index in range(3)]
    assert [names(part) for part in parts] == ["a d", "b", "c"]


def test_balanced_gives_everybody_the_directories() -> None:
    directory = PlannedObject(key="d/", path="d", size_bytes=3, is_directory=True)
    objects = [directory, *planned(a=1)]
    parts = [balanced(objects, Partition(index=index, count=2)) for index in range(2)]
    assert [names(part) for part, _ in parts] == ["d/ a", "d/"]
    assert balanced(planned(a=1), Partition(count=2))[1] == parts[0][1]


def test_the_listing_is_another_when_an_object_is() -> None:
    part = Partition(count=2)
    listings = {
        balanced(objects, part)[1]
        for objects in (
            planned(a=1, b=1),
            planned(a=1, b=2),
            planned(a=1),
            planned(a=1, c=1),
            [PlannedObject(key=key, path=key, size_bytes=1, etag='"x"') for key in "ab"],
        )
    }
    assert len(listings) == 5
    assert balanced(planned(b=1, a=1), part)[1] == balanced(planned(a=1, b=1), part)[1]


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as pool:
        yield pool


async def taken(
    executor: ThreadPoolExecutor, objects: list[PlannedObject], part: Partition, **partition: Any
) -> InputPlan:
    spec = SpecConfig(type="s3", params={"Bucket": "b", "Key": "k*", "Partition": partition})
    params = decode_params(S3SourceParams, spec)
    plan = InputPlan(objects=tuple(objects), warnings=("w",))
    return await take_part(executor, plan, params, part)


@pytest.mark.parametrize("kind", ["", "none", "object", "balanced"])
async def test_one_part_is_everything(executor: ThreadPoolExecutor, kind: str) -> None:
    plan = await taken(executor, planned(a=1, b=1), WHOLE, Type=kind)
    assert plan == InputPlan(objects=tuple(planned(a=1, b=1)), warnings=("w",))


async def test_many_objects_are_divided_in_their_order(executor: ThreadPoolExecutor) -> None:
    objects = planned(**{f"k{number:05}": 1 for number in range(2500)})
    parts = [
        await taken(executor, objects, Partition(index=index, count=3), Type="object")
        for index in range(3)
    ]
    assert sum(len(part.objects) for part in parts) == 2500
    for part in parts:
        keys = [item.key for item in part.objects]
        assert keys == sorted(keys)
        assert (part.warnings, part.listing) == (("w",), "")


async def test_an_empty_part_is_told(executor: ThreadPoolExecutor) -> None:
    plan = await taken(executor, planned(k1=1), Partition(index=1, count=2), Type="balanced")
    assert plan.objects == ()
    assert plan.listing
    text = "s3://b/k*: no object of 1 belongs to partition 1 (of 0 to 1)"
    assert plan.warnings == ("w", text)


async def test_an_empty_input_is_told_once(executor: ThreadPoolExecutor) -> None:
    plan = await taken(executor, [], Partition(index=1, count=2), Type="object")
    assert plan.warnings == ("w",)


async def test_settings_that_make_no_sense_are_refused(executor: ThreadPoolExecutor) -> None:
    with pytest.raises(ValidationError, match="unsupported partition key type x"):
        await taken(executor, [], Partition(count=0), Type="x")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        (Partition(count=0), "job partitions/count must be greater than 0"),
        (Partition(index=2, count=2), "partition index must be between 0 and 1"),
        (Partition(index=-1, count=2), "partition index must be between 0 and 1"),
    ],
)
def test_no_such_part(part: Partition, message: str) -> None:
    with pytest.raises(UserError) as caught:
        check_part(part)
    assert caught.value.message == message
    assert caught.value.code == "S3BadRequest"
