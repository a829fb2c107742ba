"""The operator's list of paths that jobs may use."""

from __future__ import annotations

import pytest

from bacalhau.errors import UserError
from bacalhau.sources._allow_list import AllowList


def test_nothing_is_allowed_by_default() -> None:
    assert not AllowList([])
    assert not AllowList([]).allows("/data", writing=False)


@pytest.mark.parametrize(
    ("entry", "path", "reading", "writing"),
    [
        ("/data", "/data", True, False),
        ("/data", "/data/a", False, False),
        ("/data:ro", "/data", True, False),
        ("/data/**:ro", "/data/a", True, False),
        ("/data:rw", "/data", True, True),
        ("/data/*:rw", "/data/a", True, True),
        (" /data:rw ", "/data", True, True),
        ("/data:RW", "/data:RW", True, False),
        ("/data:/data:ro", "/data", False, False),
        ("/a:b", "/a:b", True, False),
        ("/a:b:rw", "/a:b", True, True),
    ],
)
def test_entries(entry: str, path: str, reading: bool, writing: bool) -> None:
    allowed = AllowList([entry])
    assert allowed
    assert allowed.allows(path, writing=False) is reading
    assert allowed.allows(path, writing=True) is writing


def test_to_write_only_entries_for_writing_count() -> None:
    allowed = AllowList(["/data/**:ro", "/data/out/**:rw"])
    assert allowed.allows("/data/out/a", writing=True)
    assert not allowed.allows("/data/in/a", writing=True)
    assert allowed.allows("/data/in/a", writing=False)


def test_commas_within_braces_do_not_divide_the_list() -> None:
    allowed = AllowList(["/data/{a", "b}:rw", "/srv"])
    assert allowed.allows("/data/a", writing=True)
    assert allowed.allows("/data/b", writing=True)
    assert allowed.allows("/srv", writing=False)


@pytest.mark.parametrize("entry", ["data", "/data/[", "/data/{a", ":rw", "/a/../b"])
def test_an_entry_that_is_no_pattern_stops_the_node_and_is_named(entry: str) -> None:
    with pytest.raises(UserError) as caught:
        AllowList(["/fine", entry])
    assert caught.value.message.startswith(
        f'invalid value "{entry}" for Compute.AllowListedLocalPaths: '
    )
    assert caught.value.code == "ConfigurationError"
    assert "/data/**" in caught.value.hint
