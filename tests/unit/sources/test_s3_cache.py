"""What the content of an object is known by."""

from __future__ import annotations

from dataclasses import replace

from bacalhau.ports import PlannedObject
from bacalhau.s3.requests.client import Bucket
from bacalhau.s3.server.endpoints import DEFAULT_REGION, locate
from bacalhau.sources._s3_cache import identity

OBJECT = PlannedObject(key="a b", path="b", size_bytes=3, etag='"e"')


def bucket(name: str = "b", endpoint: str = "http://127.0.0.1:1") -> Bucket:
    return Bucket(location=locate(name, endpoint, "", DEFAULT_REGION))


def changed(**changes: object) -> PlannedObject:
    fields = {name: getattr(OBJECT, name) for name in OBJECT.__struct_fields__}
    return PlannedObject(**{**fields, **changes})


def test_the_same_object_at_another_place_is_the_same() -> None:
    here = identity(bucket(), OBJECT)
    assert here == identity(bucket(), changed(path="elsewhere", version="v1"))


def test_whatever_may_mean_other_bytes_is_another() -> None:
    others = [
        (bucket(), changed(etag='"f"')),
        (bucket(), changed(key="a  b")),
        (bucket(), changed(size_bytes=4)),
        (bucket("c"), OBJECT),
        (bucket(endpoint="http://127.0.0.1:2"), OBJECT),
    ]
    assert len({identity(bucket(), OBJECT), *(identity(*other) for other in others)}) == 6


def test_what_was_read_unsigned_does_not_serve_those_who_sign_nor_the_reverse() -> None:
    signed = bucket()
    assert identity(signed, OBJECT) != identity(replace(signed, is_anonymous=True), OBJECT)
