"""Whatever the objects are, each is read by exactly one execution."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from bacalhau.models.specs.s3_partition import S3Partition
from bacalhau.ports import Partition, PlannedObject
from bacalhau.s3.inputs.partitions import balanced, index_function

if TYPE_CHECKING:
    from collections.abc import Mapping

SETTINGS = st.sampled_from(
    [
        S3Partition(type="object"),
        S3Partition(type="regex", pattern=r"(\d+)|([a-c])?"),
        S3Partition(type="substring", start_index=1, end_index=3),
        S3Partition(type="date", date_format="2006-01"),
        S3Partition(type="date", date_format="%d"),
    ]
)
SIZES = st.dictionaries(st.text("ab/1-", min_size=1, max_size=6), st.integers(0, 2**40))


@given(SETTINGS, st.text(), st.text(max_size=3), st.integers(1, 50))
def test_every_key_has_one_place(settings: S3Partition, key: str, prefix: str, count: int) -> None:
    index_of = index_function(settings, count, prefix)
    assert 0 <= index_of(key) < count
    assert index_of(key) == index_of(key)


@given(SIZES, st.integers(1, 12))
def test_balanced_divides_everything_evenly(sizes: Mapping[str, int], count: int) -> None:
    objects = [PlannedObject(key=key, path=key, size_bytes=size) for key, size in sizes.items()]
    parts = [balanced(objects, Partition(index=index, count=count))[0] for index in range(count)]
    assert sorted(item.key for part in parts for item in part) == sorted(sizes)
    loads = [sum(item.size_bytes for item in part) for part in parts]
    assert max(loads) - min(loads) <= max(sizes.values(), default=0)
