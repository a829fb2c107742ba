"""Inputs that the executions of a job share, row by row (spec storage.md 9.1, P), on real servers.

P01 to P10 are rows of the specification; those behind them are ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from bacalhau.errors import ValidationError
from bacalhau.models import SpecConfig
from bacalhau.ports import Partition
from bacalhau.sources.s3 import S3Source
from tests.support.inputs import node_with
from tests.support.s3_cases import BOTH, Server, marked, shows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

U = "u/1.bin u/2.bin u/3.bin u/4.bin"


class Case(NamedTuple):
    """``want``: what each execution finds, by its index. Markers in ``objects`` end with ``/``."""

    row: str
    objects: str
    key: str
    partition: dict[str, Any]
    want: list[str]

    @property
    def what(self) -> str:
        """The row in words, for the reference page."""
        given = ", ".join(f"{name} `{value}`" for name, value in self.partition.items())
        parts = "; ".join(f"{n}: {_names(part) or 'none'}" for n, part in enumerate(self.want))
        return f"{_names(self.objects)}, {given}, Count {len(self.want)} → {parts}"


def _names(names: str) -> str:
    return " ".join(f"`{name}`" for name in names.split())


CASES = [
    Case("P01", U, "u/", {"Type": "object"}, ["2.bin 4.bin", "1.bin 3.bin"]),
    Case("P02", U, "u/", {"Type": "object"}, ["2.bin", "1.bin", "3.bin 4.bin"]),
    Case(
        "P03",
        "prefix/001.txt prefix/002.txt prefix/003.txt prefix/abc.txt",
        "prefix/",
        {"Type": "regex", "Pattern": r"00\d"},
        ["001.txt 002.txt abc.txt", "003.txt", ""],
    ),
    Case(
        "P04",
        "prefix/1.txt prefix/2.txt prefix/3.txt prefix/a.txt",
        "prefix/",
        {"Type": "regex", "Pattern": r"\d"},
        ["1.txt 3.txt a.txt", "2.txt"],
    ),
    Case(
        "P05",
        "prefix/data1 prefix/data2",
        "prefix/",
        {"Type": "regex", "Pattern": "()"},
        ["data1 data2", ""],
    ),
    Case(
        "P06",
        "logs/2024-01-15.log logs/2024-01-16.log logs/readme",
        "logs/",
        {"Type": "date", "DateFormat": "2006-01-02"},
        ["2024-01-15.log readme", "2024-01-16.log"],
    ),
    Case(
        "P06b",
        "logs/2024-01-15.log logs/2024-01-16.log logs/readme",
        "logs/",
        {"Type": "date", "DateFormat": "%Y-%m-%d"},
        ["2024-01-15.log readme", "2024-01-16.log"],
    ),
    Case(
        "P07",
        "s/日本x s/a",
        "s/",
        {"Type": "substring", "StartIndex": 0, "EndIndex": 2},
        ["a", "日本x"],
    ),
    Case("P08", U, "u/*", {"type": "Object"}, ["1.bin 2.bin 3.bin 4.bin"]),
    Case("P09", "d/ x", "*", {"Type": "none"}, ["d/ x", "d/ x"]),
    Case("P09b", "d/ x", "*", {"Type": "object"}, ["d/", "d/ x"]),
    Case("P11", "b/a b/b b/c b/d", "b/", {"Type": "balanced"}, ["a d", "b", "c"]),
]


@pytest.mark.parametrize(
    ("case", "served"),
    [
        pytest.param(
            case,
            server,
            id=f"{case.row}-{server.name.lower()}",
            marks=marked(case.row, case.what, server),
        )
        for case in CASES
        for server in BOTH
    ],
    indirect=["served"],
)
async def test_each_execution_finds(case: Case, served: S3Objects, tmp_path: Path) -> None:
    """The size of each part is that of its objects; an empty one is told."""
    bucket = served.bucket(
        {key: b"" if key.endswith("/") else b"1" for key in case.objects.split()}
    )
    params = {
        "Bucket": bucket,
        "Key": case.key,
        "Endpoint": served.endpoint,
        "Partition": case.partition,
    }
    for index, want in enumerate(case.want):
        partition = Partition(index=index, count=len(case.want))
        async with node_with(S3Source, tmp_path / str(index)) as node:
            fetched = await node.fetch(params, partition=partition)
        names = sorted(fetched.seen)
        assert names == sorted(want.split())
        files = [name for name in names if not name.endswith("/")]
        assert fetched.plan.size_bytes == len(files)
        has_warning = any("no object of" in text for text in fetched.plan.warnings)
        assert has_warning is (not files)


REFUSED = [
    ({"Type": "sub"}, "unsupported partition key type sub"),
    ({"Type": "regex"}, "regex pattern cannot be empty"),
    ({"Type": "regex", "Pattern": "("}, "invalid regex pattern: error parsing regexp"),
    ({"Type": "substring", "StartIndex": -1, "EndIndex": 1}, "start index cannot be negative"),
    ({"Type": "substring"}, "end index must be greater than start index"),
    ({"Type": "date"}, "date format cannot be empty"),
    ({"Type": "date", "DateFormat": "%Q"}, "invalid date format: %Q"),
]


@pytest.mark.parametrize(("partition", "message"), REFUSED)
@shows("P15", "a Partition that makes no sense → error at submission", Server.NONE)
def test_p15_refused_at_submission(partition: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        S3Source.check(SpecConfig(type="s3", params={"Bucket": "b", "Partition": partition}))
    assert message in caught.value.message
    assert caught.value.code == "S3BadRequest"
    assert all(field.startswith("Params.Partition.") for field in caught.value.fields)
