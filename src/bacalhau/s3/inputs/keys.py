"""From keys of objects to paths below an input's directory (spec storage.md 3.1, 3.3, 3.7).

Everything is decided on the whole list before a byte is fetched: two objects that want the same
path, or one that would leave the directory, are errors here and not half-way through a download.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.errors import Code, UserError
from bacalhau.lib.paths import clean_relative
from bacalhau.ports import PlannedObject

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bacalhau.s3.requests.responses import ListedObject

COMPONENT = "S3InputSource"
ROOT = "."


def is_single(key: str) -> bool:
    """Tell whether a ``Key`` names one object, rather than a prefix."""
    return bool(key) and not key.endswith(("*", "/"))


def listing_prefix(key: str) -> str:
    """Return the prefix that a ``Key`` asks for; the rules on blanks are those of v1.5.2."""
    return key.strip().removesuffix("*")


def wildcard_advice(key: str) -> str:
    """Say what to write instead of a ``*`` before the end of a ``Key``; empty if there is none."""
    before, star, _ = listing_prefix(key).partition("*")
    if not star:
        return ""
    directory = before[: before.rfind("/") + 1]
    other = (
        f'set Key to "{directory}", and choose below it'
        if directory
        else ("leave Key out, and choose")
    )
    return f"* stands for anything only at its end; {other} with Filter"


def local_path(base: str, key: str) -> str:
    """Return where an object goes, relative to the directory part of ``base``.

    ``base`` is the prefix, or the key of a single object. The input's directory itself is ``.``.

    Raises:
        ValueError: the path would leave the directory, or cannot be a name on disk.
    """
    above = base.split("/")[:-1]
    segments = key.split("/")
    shared = 0
    while shared < min(len(above), len(segments)) and segments[shared] == above[shared]:
        shared += 1
    return clean_relative("/".join(filter(None, segments[shared:]))) or ROOT


def plan_layout(
    objects: Iterable[ListedObject], *, base: str, prefix: str = ""
) -> tuple[PlannedObject, ...]:
    """Give every object its path, in the order of the listing.

    ``base`` as in ``local_path``; keys outside ``prefix`` are refused. An empty object that is also
    a directory of others becomes that directory.

    Raises:
        UserError: code ``S3BadRequest``; an unsafe key, or two that are in each other's way.
    """
    placed = [(_path(item, base, prefix), item) for item in objects]
    directories = set(_directories(placed))
    files: dict[str, ListedObject] = {}
    planned: list[PlannedObject] = []
    for path, item in placed:
        is_directory = item.is_marker or path in directories
        if is_directory and not item.is_marker and item.size_bytes:
            raise _error(f'object "{item.key}" conflicts with prefix "{item.key}/"')
        if not is_directory:
            other = files.setdefault(path, item)
            if other is not item:
                raise _error(
                    f'objects "{other.key}" and "{item.key}" map to the same path "{path}"'
                )
        planned.append(
            PlannedObject(
                key=item.key,
                path=path,
                size_bytes=item.size_bytes or 0,
                etag=item.etag,
                version=item.version,
                is_directory=is_directory,
            )
        )
    return tuple(planned)


def _path(item: ListedObject, base: str, prefix: str) -> str:
    try:
        path = local_path(base, item.key)
    except ValueError as exc:
        raise _error(f'unsafe object key "{item.key}": {exc}') from exc
    if not item.key.startswith(prefix):
        raise _error(f'unsafe object key "{item.key}": it is outside the prefix "{prefix}"')
    if path == ROOT and not item.is_marker:
        raise _error(f'unsafe object key "{item.key}": it names the directory itself')
    return path


def _directories(placed: Iterable[tuple[str, ListedObject]]) -> Iterator[str]:
    """Yield every directory that the objects need."""
    for path, item in placed:
        if item.is_marker:
            yield path
        while "/" in path:
            path = path.rpartition("/")[0]
            yield path


def _error(message: str) -> UserError:
    return UserError(
        message,
        code=Code.S3_BAD_REQUEST,
        component=COMPONENT,
        hint="rename the object, or choose others with Key and Filter",
    )
