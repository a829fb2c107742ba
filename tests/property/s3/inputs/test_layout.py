"""No list of keys, however hostile, is planned to a path outside the input's directory."""

from __future__ import annotations

import posixpath

from hypothesis import given
from hypothesis import strategies as st

from bacalhau.errors import UserError
from bacalhau.ports import PlannedObject
from bacalhau.s3.inputs.keys import listing_prefix, plan_layout
from bacalhau.s3.requests.responses import ListedObject

SEGMENTS = st.sampled_from(["", ".", "..", "a", "b", " ", "*", "\\", "é", "..a", "a" * 255])
KEYS = st.lists(SEGMENTS, min_size=1, max_size=6).map("/".join)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def planned(keys: list[str], base: str) -> tuple[PlannedObject, ...]:
    objects = [ListedObject(key=key, size_bytes=1) for key in keys]
    try:
        return plan_layout(objects, base=base)
    except UserError:
        return ()


@given(st.lists(KEYS | ANY_TEXT, unique=True, max_size=8), KEYS | st.just(""))
def test_paths_stay_inside_and_apart(keys: list[str], key: str) -> None:
    plan = planned(keys, listing_prefix(key))
    files = [item.path for item in plan if not item.is_directory]
    assert len(files) == len(set(files))
    for item in plan:
        assert posixpath.normpath(item.path) == item.path
        assert not item.path.startswith(("/", "../"))
        assert item.path not in ("", "..")
        assert "\0" not in item.path
        above = item.path
        while above := posixpath.dirname(above):
            assert above not in files, "a file is in the way of a directory"


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=5), st.data())
def test_path_is_what_follows_the_last_slash_of_the_prefix(
    segments: list[str], data: st.DataObject
) -> None:
    key = "/".join(segments)
    prefix = key[: data.draw(st.integers(0, len(key)))]
    (item,) = planned([key], prefix)
    assert item.path == key[prefix.rfind("/") + 1 :]
