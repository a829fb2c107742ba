"""The list of plain results: what is written is read, and nothing else is."""

from __future__ import annotations

import json
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bacalhau.lib.paths import clean_relative
from bacalhau.s3.results.manifest import Manifest, ManifestFile, decode_manifest, encode_manifest

decode = partial(decode_manifest, job_id="j-1", execution_id="e-1")


def manifest(*files: ManifestFile) -> Manifest:
    return Manifest(version=1, job_id="j-1", execution_id="e-1", files=files)


def file(path: str, version: str = "") -> ManifestFile:
    return ManifestFile(path=path, size_bytes=1, sha256="ab" * 32, version_id=version)


def test_form() -> None:
    assert json.loads(encode_manifest(manifest(file("a", "v"), file("b/c")))) == {
        "Version": 1,
        "JobID": "j-1",
        "ExecutionID": "e-1",
        "Files": [
            {"Path": "a", "SizeBytes": 1, "SHA256": "ab" * 32, "VersionID": "v"},
            {"Path": "b/c", "SizeBytes": 1, "SHA256": "ab" * 32},
        ],
    }


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0"), min_size=1)
PATHS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3)


@given(paths=st.lists(PATHS.map("/".join), unique=True), version=st.sampled_from(["", "v"]))
def test_what_is_written_is_read(paths: list[str], version: str) -> None:
    written = manifest(*(file(path, version) for path in paths if _can_be_a_file(path)))
    assert decode(encode_manifest(written)) == written


def _can_be_a_file(path: str) -> bool:
    try:
        return clean_relative(path) == path
    except ValueError:
        return False


def test_later_additions_are_passed_over() -> None:
    document = json.loads(encode_manifest(manifest(file("a"))))
    document["Added"] = document["Files"][0]["Added"] = 1
    assert decode(json.dumps(document).encode()) == manifest(file("a"))


@given(body=st.binary() | st.sampled_from([b"[" * 100_000, b"null", b"{}"]))
def test_nonsense_is_an_error_with_a_reason(body: bytes) -> None:
    with pytest.raises(ValueError, match="is"):
        decode(body)
