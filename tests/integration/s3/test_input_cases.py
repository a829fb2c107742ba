"""The test cases of the S3 source, row by row (spec storage.md 5), against a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from bacalhau.errors import BacalhauError
from bacalhau.sources.s3 import S3Source
from tests.support.inputs import contents, node_with

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = [pytest.mark.s3, pytest.mark.usefixtures("s3_environment")]

F1 = "set1/001.txt set1/002.txt set1/101.txt set2/201.txt set2/nested/301.txt top.txt"
F2 = {
    "d/": b"",
    "d/x.txt": b"x",
    "d/e/": b"",
    "d2/y": b"y",
    "d/marker/": b"abc",
    "d/ sp ace.txt": b"s",
    "d/ünï.txt": b"u",
    "d//dbl.txt": b"d",
}
SET1 = "001.txt 002.txt 101.txt"
ALL_SETS = "set1/001.txt set1/002.txt set1/101.txt set2/201.txt set2/nested/301.txt"


class Case(NamedTuple):
    """``want``: the paths that a task finds, or what an error says."""

    row: str
    objects: str | dict[str, bytes]
    params: dict[str, Any]
    want: str | list[str]
    size: int | None = None
    warning: str = ""


LISTED = [
    Case("A01", F1, {"Key": "set1/001.txt"}, "001.txt", size=12),
    Case("A02", F1, {"Key": "set1/"}, SET1, size=36),
    Case("A03", F1, {"Key": "set1/*"}, SET1),
    Case("A04", F1, {"Key": "set*"}, ALL_SETS),
    Case("A05", F1, {"Key": "se*"}, ALL_SETS),
    Case("A06", F1, {"Key": "set1/00*"}, "001.txt 002.txt"),
    Case("A07", F1, {"Key": "set2/"}, "201.txt nested/301.txt"),
    Case("A08", F1, {"Key": "set2/n*"}, "nested/301.txt"),
    Case("A09", F1, {}, F1),
    Case("A10", F1, {"Key": "*"}, F1),
    Case("A11", F1, {"Key": ""}, F1),
    Case("A11 null", F1, {"Key": None}, F1),
    Case("A12", F1, {"Key": "set1/001.txt*"}, "001.txt"),
    Case("A15", F1, {"Key": "nope/"}, "", size=0, warning="nope/: no objects matched"),
    Case("A16", F1, {"Key": "nope*"}, "", warning="nope*: no objects matched"),
    Case("A20", F1, {"Key": "set1/**"}, ""),
    Case("A21", F1 + " set1/*lit", {"Key": "set1/**"}, "*lit"),
    Case("A22", F1, {"Key": " set1/"}, SET1),
    Case("A25", F1, {"Key": "/"}, ""),
    Case("A26", F1, {"key": "set1/"}, SET1),
    Case("A27", F1, {"KEY": "set1/"}, SET1),
    Case("B01", F1, {"Key": "set1/*", "Filter": "[0-1]01.txt"}, "001.txt 101.txt"),
    Case("B02", F1, {"Key": "set2/", "Filter": "nested/.*"}, "nested/301.txt"),
    Case("B03", F1, {"Key": "set1/*", "Filter": "zzz"}, ""),
    Case("B04", F1, {"Filter": "^set1/.*"}, "set1/001.txt set1/002.txt set1/101.txt"),
    Case("B05", F1, {"Key": "set1/00*", "Filter": "^1"}, "001.txt"),
    Case("B06", F1, {"Key": "set1/00*", "Filter": "^00"}, ""),
    Case("B07", F1, {"Key": "set1/001.txt", "Filter": "zzz"}, "001.txt", warning="Filter is ign"),
    Case("B08", F1, {"Key": "set1/001.txt", "Filter": "["}, "001.txt", warning="Filter is ign"),
    Case("B11", F1, {"Key": "set1/", "Filter": "01"}, "001.txt 101.txt"),
    Case("B12", F1, {"Key": "set1/", "Filter": r"\.txt$"}, SET1),
    Case("B13", {"p/a\n": b"1", "p/a": b"1"}, {"Key": "p/", "Filter": "a$"}, "a"),
    Case("B14", "p/٣ p/3", {"Key": "p/", "Filter": r"^\d$"}, "3"),
    Case("B16", "logs/A.TXT logs/b.txt", {"Key": "logs/", "Filter": r"(?i)\.txt$"}, "A.TXT b.txt"),
    Case(
        "B17",
        F2,
        {"Key": "d/", "Filter": r"\.txt$"},
        [" sp ace.txt", "dbl.txt", "x.txt", "ünï.txt"],
    ),
    Case("B18", F2, {"Key": "d/", "Filter": "^$"}, ""),
    Case(
        "C01",
        F2,
        {"Key": "d/"},
        ["x.txt", " sp ace.txt", "ünï.txt", "dbl.txt", "e/", "marker/"],
        size=7,
    ),
    Case(
        "C02",
        F2,
        {"Key": "d*"},
        ["d/x.txt", "d/e/", "d/marker/", "d/ sp ace.txt", "d/ünï.txt", "d/dbl.txt", "d2/y"],
    ),
    Case("C03", F2, {"Key": "d/e/"}, ""),
    Case("C09", "k k/x", {"Key": "k"}, "k"),
    Case("C10", "k k/x", {"Key": "k/"}, "x"),
    Case("C12", {"k": b"", "k/x": b"x"}, {"Key": "k*"}, "k/x"),
    Case("C13", {"e": b""}, {"Key": "e"}, "e", size=0),
    Case("C14", {"z/e": b"", "z/f": b"f"}, {"Key": "z/"}, "e f"),
    Case("D01", {"a b.txt": b"1"}, {"Key": "a b.txt"}, ["a b.txt"]),
    Case("D02", "a%20b.txt", {"Key": "a%20b.txt"}, "a%20b.txt"),
    Case("D03", "日本/データ.csv", {"Key": "日本/"}, "データ.csv"),
    Case("D04", "\u00e9 e\u0301", {}, "\u00e9 e\u0301"),
    Case("D05", "a+b a&b a=b a?b a#b", {}, "a+b a&b a=b a?b a#b"),
    Case("D05 single", "a+b a&b a=b a?b a#b", {"Key": "a?b"}, "a?b"),
    Case("D06", "/abs/a abs/a", {"Key": "/abs/a"}, "a"),
    Case("D07", "/abs/a", {"Key": "/"}, "abs/a"),
    Case("D10", "p/./s", {"Key": "p/"}, "s"),
    Case("D11", "p/../q", {}, "q"),
    Case(
        "D15",
        {"p/" + "/".join(["n" * 200] * 5): b"1"},
        {"Key": "p/"},
        "/".join(["n" * 200] * 5),
    ),
    Case("D17", "a\\b", {}, "a\\b"),
    Case("G08", "p/a", {"Key": "p/", "ChecksumSHA256": "e3b0c44b542b"}, "a", warning="is a prefix"),
    Case("F08", "p/a", {"Key": "p/", "VersionID": "x"}, "a", warning="VersionID is ignored"),
]

REFUSED = [
    Case("A13", F1, {"Key": "set1"}, 'there is no object "set1"'),
    Case("A14", F1, {"Key": "set1/00"}, 'there is no object "set1/00"'),
    Case("A17", F1, {"Key": "nope.txt"}, 'there is no object "nope.txt"'),
    Case("A18", F1, {"Key": "set1/*/x"}, 'there is no object "set1/*/x"'),
    Case("A19", F1, {"Key": "*/001.txt"}, 'there is no object "*/001.txt"'),
    Case("A23", F1, {"Key": " set1/001.txt"}, 'there is no object " set1/001.txt"'),
    Case("A24", F1, {"Key": "set1/ "}, 'there is no object "set1/ "'),
    Case("A24 star", F1, {"Key": "set1/* "}, 'there is no object "set1/* "'),
    Case("B09", F1, {"Key": "set1/", "Filter": "["}, "invalid regex pattern: "),
    Case("B10", F1, {"Key": "set1/", "Filter": "(?=0)"}, "invalid regex pattern: "),
    Case("B15", F1, {"Key": "set"}, 'there is no object "set"'),
    Case("C11", "k k/x", {"Key": "k*"}, 'object "k" conflicts with prefix "k/"'),
    Case("D08", "/abs/a abs/a", {}, 'objects "/abs/a" and "abs/a" map to the same path "abs/a"'),
    Case("D09", "a//b a/b", {}, 'objects "a//b" and "a/b" map to the same path "a/b"'),
    Case("D12", "p/../q", {"Key": "p/"}, 'unsafe object key "p/../q"'),
    Case("D13", "p/../../../evil", {}, 'unsafe object key "p/../../../evil"'),
    Case("D16", {"p/" + "n" * 300: b"1"}, {"Key": "p/"}, f'unsafe object key "p/{"n" * 300}"'),
]


def objects_of(case: Case) -> dict[str, bytes]:
    """Return the objects of a case; those without content have their key as content."""
    if isinstance(case.objects, dict):
        return case.objects
    return {key: key.encode() for key in case.objects.split(" ")}


def full_params(case: Case, s3: S3Objects) -> dict[str, Any]:
    return {"Bucket": s3.bucket(objects_of(case)), "Endpoint": s3.endpoint, **case.params}


@pytest.mark.parametrize("case", LISTED, ids=lambda case: case.row)
async def test_the_task_finds(case: Case, s3_objects: S3Objects, tmp_path: Path) -> None:
    want = case.want.split(" ") if isinstance(case.want, str) else case.want
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch(full_params(case, s3_objects))
    assert sorted(fetched.seen) == sorted(filter(None, want))
    originals = objects_of(case)
    for item in fetched.plan.objects:
        if not item.is_directory:
            assert fetched.seen[item.path] == originals[item.key]
    if case.size is not None:
        assert fetched.plan.size_bytes == case.size
    assert any(case.warning in text for text in fetched.plan.warnings) or not case.warning


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.row)
async def test_the_job_is_told(case: Case, s3_objects: S3Objects, tmp_path: Path) -> None:
    assert isinstance(case.want, str)
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(BacalhauError) as caught:
            await node.plan(full_params(case, s3_objects))
    assert case.want in caught.value.message
    assert caught.value.component == "S3InputSource"
    assert contents(node.directory) == {}
