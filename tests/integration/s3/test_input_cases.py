"""Which objects an input consists of, row by row (spec storage.md 5, A to D), on real servers."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from bacalhau.cli.flags.inputs import read_input
from bacalhau.errors import BacalhauError, ValidationError
from bacalhau.models import SpecConfig
from bacalhau.sources.s3 import S3Source
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.inputs import contents, node_with
from tests.support.s3_cases import BOTH, Server, marked, shows

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.s3 import S3Objects

pytestmark = pytest.mark.s3

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
LONG = "/".join(["n" * 204] * 4 + ["n" * 202])  # with "p/" in front, a key of 1,024 bytes
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

    @property
    def what(self) -> str:
        """The row in words, for the reference page."""
        given = {name: value for name, value in self.params.items() if name != "Bucket"}
        asked = ", ".join(f"{name} `{_shown(value)}`" for name, value in given.items())
        of_these = "" if self.objects in ("", F1, F2) else f" of {_names(self.objects)}"
        return f"{asked or 'no Key'}{of_these} → {self._result}"

    @property
    def _result(self) -> str:
        if self in REFUSED:
            return f"error `{_shortened(str(self.want))}`"
        return _names(self.want) or "an empty directory"


def _names(names: str | dict[str, bytes] | list[str]) -> str:
    listed = names.split(" ") if isinstance(names, str) else names
    return " ".join(f"`{_shortened(name)}`" for name in listed if name)


def _shown(value: object) -> str:
    return str(value) if value else json.dumps(value)


def _shortened(text: str) -> str:
    return text if len(text) < 100 else f"{text[:60]}…"


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
    Case("A11b", F1, {"Key": None}, F1),
    Case("A12", F1, {"Key": "set1/001.txt*"}, "001.txt"),
    Case("A15", F1, {"Key": "nope/"}, "", size=0, warning="nope/: no objects matched"),
    Case("A16", F1, {"Key": "nope*"}, "", warning="nope*: no objects matched"),
    Case("A20", F1, {"Key": "set1/**"}, ""),
    Case("A21", F1 + " set1/*lit", {"Key": "set1/**"}, "*lit"),
    Case("A22", F1, {"Key": " set1/"}, SET1),
    Case("A25", F1, {"Key": "/"}, ""),
    Case("A26", F1, {"key": "set1/"}, SET1),
    Case("A27", F1, {"KEY": "set1/"}, SET1),
    Case("A28", F1, {"Key": "set1/", "Foo": 1}, SET1),
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
    Case("D05b", "a+b a&b a=b a?b a#b", {"Key": "a?b"}, "a?b"),
    Case("D06", "/abs/a abs/a", {"Key": "/abs/a"}, "a"),
    Case("D07", "/abs/a", {"Key": "/"}, "abs/a"),
    Case("D10", "p/./s", {"Key": "p/"}, "s"),
    Case("D11", "p/../q", {}, "q"),
    Case(
        "D15",
        {f"p/{LONG}": b"1"},
        {"Key": "p/"},
        LONG,
    ),
    Case("D17", "a\\b", {}, "a\\b"),
    Case("D18", {"p/a\x01b": b"1"}, {"Key": "p/"}, "a\x01b"),
    Case("F08", "p/a", {"Key": "p/", "VersionID": "x"}, "a", warning="VersionID is ignored"),
    Case("G08", "p/a", {"Key": "p/", "ChecksumSHA256": "e3b0c44b542b"}, "a", warning="is a prefix"),
]

REFUSED = [
    Case("A13", F1, {"Key": "set1"}, 'there is no object "set1"'),
    Case("A14", F1, {"Key": "set1/00"}, 'there is no object "set1/00"'),
    Case("A17", F1, {"Key": "nope.txt"}, 'there is no object "nope.txt"'),
    Case("A18", F1, {"Key": "set1/*/x"}, 'there is no object "set1/*/x"'),
    Case("A19", F1, {"Key": "*/001.txt"}, 'there is no object "*/001.txt"'),
    Case("A23", F1, {"Key": " set1/001.txt"}, 'there is no object " set1/001.txt"'),
    Case("A24", F1, {"Key": "set1/ "}, 'there is no object "set1/ "'),
    Case("A24b", F1, {"Key": "set1/* "}, 'there is no object "set1/* "'),
    Case("B09", F1, {"Key": "set1/", "Filter": "["}, "invalid regex pattern: "),
    Case("B10", F1, {"Key": "set1/", "Filter": "(?=0)"}, "invalid regex pattern: "),
    Case("B15", F1, {"Key": "set"}, 'there is no object "set"'),
    Case("C11", "k k/x", {"Key": "k*"}, 'object "k" conflicts with prefix "k/"'),
    Case("D08", "/abs/a abs/a", {}, 'objects "/abs/a" and "abs/a" map to the same path "abs/a"'),
    Case("D09", "a//b a/b", {}, 'objects "a//b" and "a/b" map to the same path "a/b"'),
    Case("D12", "p/../q", {"Key": "p/"}, 'unsafe object key "p/../q"'),
    Case("D13", "p/../../../evil", {}, 'unsafe object key "p/../../../evil"'),
    Case("D14", "..", {}, 'unsafe object key ".."'),
    Case("D16", {"p/" + "n" * 300: b"1"}, {"Key": "p/"}, f'unsafe object key "p/{"n" * 300}"'),
]


def sets(cases: list[Case]) -> list[Any]:
    """Return the parameters of every case on every server that can show it."""
    return [
        pytest.param(
            case,
            server,
            id=f"{case.row}-{server.name.lower()}",
            marks=marked(case.row, case.what, server),
        )
        for case in cases
        for server in BOTH
    ]


def objects_of(case: Case) -> dict[str, bytes]:
    """Return the objects of a case; those without content have their key as content."""
    if isinstance(case.objects, dict):
        return case.objects
    return {key: key.encode() for key in case.objects.split(" ")}


def full_params(case: Case, s3: S3Objects) -> dict[str, Any]:
    return {"Bucket": s3.bucket(objects_of(case)), "Endpoint": s3.endpoint, **case.params}


@pytest.mark.parametrize(("case", "served"), sets(LISTED), indirect=["served"])
async def test_the_task_finds(case: Case, served: S3Objects, tmp_path: Path) -> None:
    want = case.want.split(" ") if isinstance(case.want, str) else case.want
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch(full_params(case, served))
    assert sorted(fetched.seen) == sorted(filter(None, want))
    originals = objects_of(case)
    for item in fetched.plan.objects:
        if not item.is_directory:
            assert fetched.seen[item.path] == originals[item.key]
    if case.size is not None:
        assert fetched.plan.size_bytes == case.size
    assert any(case.warning in text for text in fetched.plan.warnings) or not case.warning


@pytest.mark.parametrize(("case", "served"), sets(REFUSED), indirect=["served"])
async def test_the_job_is_told(case: Case, served: S3Objects, tmp_path: Path) -> None:
    assert isinstance(case.want, str)
    async with node_with(S3Source, tmp_path) as node:
        with pytest.raises(BacalhauError) as caught:
            await node.plan(full_params(case, served))
    assert case.want in caught.value.message
    assert caught.value.component == "S3InputSource"
    assert contents(node.directory) == {}


@shows("C04", "a directory's content counts in the size: `d/` with `d/marker/` of 3 bytes", *BOTH)
async def test_c04_size_with_markers(served: S3Objects, tmp_path: Path) -> None:
    async with node_with(S3Source, tmp_path) as node:
        plan = await node.plan(
            {"Bucket": served.bucket(F2), "Key": "d/", "Endpoint": served.endpoint}
        )
    assert plan.size_bytes == sum(len(data) for key, data in F2.items() if key.startswith("d/"))


DIRECTORIES = [
    Case("C05", "", {"Key": "dir"}, ["dir/x"]),
    Case("C06", "", {"Key": "dir/"}, ["x"]),
    Case("C07", "", {"Key": "empty"}, ["empty/"]),
]


@pytest.mark.parametrize(("case", "served"), sets(DIRECTORIES), indirect=["served"])
async def test_object_of_type_directory(case: Case, served: S3Objects, tmp_path: Path) -> None:
    bucket = served.new_bucket()
    for key in ("dir", "empty"):
        served.client.put_object(
            Bucket=bucket, Key=key, Body=b"", ContentType="application/x-directory"
        )
    for key in ("dir/x", "dir2/z"):
        served.client.put_object(Bucket=bucket, Key=key, Body=b"1")
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch({"Bucket": bucket, "Endpoint": served.endpoint, **case.params})
    assert list(fetched.seen) == case.want


@shows("C08", "an object whose HEAD has no Content-Type is an object", Server.STAND_IN)
@pytest.mark.usefixtures("s3_environment")
async def test_c08_object_without_a_type(tmp_path: Path) -> None:
    async with fault_proxy("") as proxy, node_with(S3Source, tmp_path) as node:
        proxy.judge = lambda _: Fault(
            instead=b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\nf"
        )
        fetched = await node.fetch({"Bucket": "b", "Key": "f", "Endpoint": proxy.endpoint})
    assert fetched.seen == {"f": b"f"}
    assert not [head for head in proxy.requests if "list-type" in head]


@pytest.mark.parametrize(
    ("row", "params", "message"),
    [
        pytest.param(row, params, message, marks=marked(row, what, Server.NONE), id=row)
        for row, params, message, what in (
            ("A29", {"Key": "k"}, "bucket cannot be empty", "no Bucket → error at submission"),
            ("A29b", {"Bucket": ""}, "bucket cannot be empty", "empty Bucket → the same"),
            (
                "A30",
                {"Bucket": "b", "Key": 5},
                "Params.Key: expected a string, got the number 5",
                "Key `5`, a number",
            ),
            ("A31", {}, "bucket cannot be empty", "no Params → error at submission"),
        )
    ],
)
def test_refused_at_submission(row: str, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        S3Source.check(SpecConfig(type="s3", params=params))
    assert message in caught.value.message


@shows("A28b", "an unknown parameter is ignored with a warning", Server.NONE)
def test_a28b_unknown_parameter() -> None:
    (warning,) = S3Source.check(SpecConfig(type="s3", params={"Bucket": "b", "Key": "k", "Foo": 1}))
    assert 'ignores the unknown parameter "Foo"' in warning


@shows("D19", "`-i s3://b/dt=2024/` → Key `dt=2024/`", *BOTH)
async def test_d19_key_with_an_equals_sign(served: S3Objects, tmp_path: Path) -> None:
    bucket = served.bucket({"dt=2024/x": b"1"})
    params = read_input(f"s3://{bucket}/dt=2024/").source.params
    async with node_with(S3Source, tmp_path) as node:
        fetched = await node.fetch({**params, "Endpoint": served.endpoint})
    assert fetched.seen == {"x": b"1"}
