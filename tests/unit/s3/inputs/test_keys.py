"""Where objects go below an input's directory, and what is refused before anything is fetched."""

from __future__ import annotations

import pytest

from bacalhau.errors import UserError
from bacalhau.s3.inputs.keys import is_single, listing_prefix, local_path, plan_layout
from bacalhau.s3.requests.responses import ListedObject


@pytest.mark.parametrize(
    ("key", "single"),
    [
        ("a", True),
        ("a/b", True),
        (" a", True),
        ("a/ ", True),
        ("a* ", True),
        ("a/*/b", True),
        ("", False),
        ("a/", False),
        ("a*", False),
        ("*", False),
    ],
)
def test_which_keys_name_one_object(key: str, single: bool) -> None:
    assert is_single(key) is single


@pytest.mark.parametrize(
    ("key", "prefix"),
    [
        ("data/*", "data/"),
        ("a/**", "a/*"),
        ("*", ""),
        (" set1/", "set1/"),
        ("set1/ *", "set1/ "),
        ("/", "/"),
        ("", ""),
    ],
)
def test_prefix_that_a_key_asks_for(key: str, prefix: str) -> None:
    assert listing_prefix(key) == prefix


@pytest.mark.parametrize(
    ("base", "key", "path"),
    [
        ("set1/001.txt", "set1/001.txt", "001.txt"),
        ("set1/", "set1/a/b.txt", "a/b.txt"),
        ("set", "set1/001.txt", "set1/001.txt"),
        ("set1/00", "set1/001.txt", "001.txt"),
        ("set2/n", "set2/nested/301.txt", "nested/301.txt"),
        ("", "set1/001.txt", "set1/001.txt"),
        ("/", "/abs/a", "abs/a"),
        ("/abs/a", "/abs/a", "a"),
        ("d/", "d//dbl.txt", "dbl.txt"),
        ("set1/x", " set1/x", " set1/x"),
        ("d/", "d/", "."),
        ("a/b/c/", "a/b/c/d", "d"),
        ("", "p/../q", "q"),
    ],
)
def test_path_is_relative_to_the_directory_of_the_key(base: str, key: str, path: str) -> None:
    assert local_path(base, key) == path


def listed(*keys: str, size: int = 1) -> list[ListedObject]:
    return [ListedObject(key=key, size_bytes=0 if key.endswith("/") else size) for key in keys]


@pytest.mark.parametrize(
    ("keys", "base", "message"),
    [
        (["p/../../../evil"], "", 'unsafe object key "p/../../../evil"'),
        (["p/../q"], "p/", 'unsafe object key "p/../q"'),
        ([".."], "", 'unsafe object key ".."'),
        (["../"], "", 'unsafe object key "../"'),
        (["."], "", 'unsafe object key "."'),
        (["a/.."], "", 'unsafe object key "a/.."'),
        (["a\0b"], "", "null byte"),
        (["n" * 256], "", "longer than 255 bytes"),
        (["é" * 128], "", "longer than 255 bytes"),
        (["q/a"], "p/", 'it is outside the prefix "p/"'),
        (["/a", "a"], "", 'objects "/a" and "a" map to the same path "a"'),
        (["a/b", "a/./b"], "", 'map to the same path "a/b"'),
        (["k", "k/x"], "", 'object "k" conflicts with prefix "k/"'),
        (["k/x", "k"], "", 'object "k" conflicts with prefix "k/"'),
        (["k", "k/"], "", 'object "k" conflicts with prefix "k/"'),
        (["k", "k/l/m"], "", 'object "k" conflicts with prefix "k/"'),
    ],
)
def test_hazards(keys: list[str], base: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        plan_layout(listed(*keys), base=base, prefix=base)
    assert message in caught.value.message
    assert caught.value.code == "S3BadRequest"
    assert caught.value.hint


def test_empty_object_becomes_the_directory_of_others() -> None:
    objects = [*listed("k", size=0), *listed("k/x")]
    planned = plan_layout(objects, base="")
    assert [(item.path, item.is_directory) for item in planned] == [("k", True), ("k/x", False)]


def test_order_size_and_etag_are_kept() -> None:
    objects = [
        ListedObject(key="b", size_bytes=2, etag='"2"'),
        ListedObject(key="a", size_bytes=1, etag='"1"', version="v"),
        ListedObject(key="m/", size_bytes=3),
    ]
    planned = plan_layout(objects, base="")
    assert [(item.key, item.size_bytes, item.etag, item.version) for item in planned] == [
        ("b", 2, '"2"', ""),
        ("a", 1, '"1"', "v"),
        ("m/", 3, "", ""),
    ]


def test_markers_may_share_a_directory() -> None:
    planned = plan_layout(listed("d/", "d//", "d/x"), base="")
    assert [item.path for item in planned] == ["d", "d", "d/x"]
