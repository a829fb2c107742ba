"""Which objects of an input belong to which execution of its job (spec storage.md 9.1).

Everybody gets all directories. Objects are divided by a hash of what their key says, so that each
execution can tell its own without looking at any other; ``balanced`` divides the listing as a whole
instead, and its digest tells whether two executions have divided the same one.
"""

from __future__ import annotations

import hashlib
from functools import partial
from heapq import heapreplace
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from bacalhau.errors import Code, UserError
from bacalhau.lib.date_layout import read_layout
from bacalhau.lib.pattern import compile_pattern
from bacalhau.lib.threads import run_to_end
from bacalhau.models.specs.s3_partition import PartitionType, S3Partition, partition_problems
from bacalhau.s3.inputs.keys import COMPONENT, listing_prefix
from bacalhau.s3.requests.failures import refuse_params

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Executor

    from bacalhau.models.specs.s3 import S3SourceParams
    from bacalhau.ports import InputPlan, Partition, PlannedObject

    IndexOf = Callable[[str], int]

_AT_ONCE = 1000
_GROUP_SEPARATOR = "\x1f"
_FNV_START = 2166136261
_FNV_PRIME = 16777619
_LAST_32_BITS = 0xFFFFFFFF


async def take_part(
    executor: Executor, plan: InputPlan, params: S3SourceParams, part: Partition
) -> InputPlan:
    """Return what one execution gets of a plan.

    Cancellation: what a thread has begun of it is waited for.

    Raises:
        ValidationError: the settings make no sense.
        UserError: there is no such part.
    """
    settings = params.partition
    refuse_params(list(partition_problems(settings)), COMPONENT)
    check_part(part)
    if settings.kind is PartitionType.NONE or part.count == 1:
        return plan
    if settings.kind is PartitionType.BALANCED:
        objects, listing = await run_to_end(executor, partial(balanced, plan.objects, part))
    else:
        index_of = index_function(settings, part.count, listing_prefix(params.key))
        objects, listing = await _hashed(executor, plan.objects, index_of, part.index), ""
    warnings = plan.warnings
    given = sum(not item.is_directory for item in plan.objects)
    if given and all(item.is_directory for item in objects):
        place = f"s3://{params.bucket}/{params.key}"
        which = f"partition {part.index} (of 0 to {part.count - 1})"
        warnings += (f"{place}: no object of {given} belongs to {which}",)
    return msgspec.structs.replace(plan, objects=objects, warnings=warnings, listing=listing)


def check_part(part: Partition) -> None:
    """Refuse what is no part.

    Raises:
        UserError: code ``S3BadRequest``.
    """
    if part.count <= 0:
        text = "job partitions/count must be greater than 0"
    elif not 0 <= part.index < part.count:
        text = f"partition index must be between 0 and {part.count - 1}"
    else:
        return
    raise UserError(text, code=Code.S3_BAD_REQUEST, component=COMPONENT)


def index_function(settings: S3Partition, count: int, prefix: str) -> IndexOf:
    """Return what tells the part that a key belongs to; the settings are in order.

    ``prefix`` is what the input's ``Key`` asks for; what follows it is looked at, but by ``object``
    the whole key. Where that has no such place, the object belongs to the first part.
    """
    if settings.kind is PartitionType.OBJECT:
        return lambda key: hash_of(key.encode()) % count
    key_of = _key_function(settings)

    def index_of(key: str) -> int:
        found = key_of(key.removeprefix(prefix).removeprefix("/"))
        return 0 if found is None else hash_of(found) % count

    return index_of


def hash_of(data: bytes) -> int:
    """Return the FNV-1a hash of 32 bits."""
    value = _FNV_START
    for byte in data:
        value = (value ^ byte) * _FNV_PRIME & _LAST_32_BITS
    return value


def balanced(
    objects: Sequence[PlannedObject], part: Partition
) -> tuple[tuple[PlannedObject, ...], str]:
    """Divide by bytes; return one part, in the order of the listing, and the listing's digest.

    The largest object that is left goes to the part with the fewest bytes; of several such parts to
    the one with the fewest objects, of those to the first.
    """
    digest = hashlib.sha256()
    loads = [(0, 0, index) for index in range(part.count)]
    mine = set()
    files = (item for item in objects if not item.is_directory)
    for item in sorted(files, key=lambda item: (-item.size_bytes, item.key)):
        digest.update(msgspec.json.encode((item.key, item.size_bytes, item.etag)))
        size_bytes, count, index = loads[0]
        heapreplace(loads, (size_bytes + item.size_bytes, count + 1, index))
        if index == part.index:
            mine.add(item.path)
    chosen = tuple(item for item in objects if item.is_directory or item.path in mine)
    return chosen, digest.hexdigest()


async def _hashed(
    executor: Executor, objects: Sequence[PlannedObject], index_of: IndexOf, index: int
) -> tuple[PlannedObject, ...]:
    chosen: list[PlannedObject] = []
    rest = iter(objects)
    while some := list(islice(rest, _AT_ONCE)):
        chosen += await run_to_end(executor, partial(_belonging, some, index_of, index))
    return tuple(chosen)


def _belonging(
    objects: Sequence[PlannedObject], index_of: IndexOf, index: int
) -> list[PlannedObject]:
    return [item for item in objects if item.is_directory or index_of(item.key) == index]


def _key_function(settings: S3Partition) -> Callable[[str], bytes | None]:
    """Return what tells the key of a partition, or None for the first one."""
    if settings.kind is PartitionType.REGEX:
        return partial(_matched, compile_pattern(settings.pattern).find)
    if settings.kind is PartitionType.SUBSTRING:
        return partial(_cut, settings.start_index, settings.end_index)
    assert settings.kind is PartitionType.DATE, settings.kind
    return read_layout(settings.date_format).date_of


def _matched(find: Callable[[str], tuple[str, ...] | None], text: str) -> bytes | None:
    whole, *groups = find(text) or ("",)
    if not whole:
        return None
    return _GROUP_SEPARATOR.join(filter(None, groups)).encode() or whole.encode()


def _cut(start: int, end: int, text: str) -> bytes | None:
    return text[start:end].encode() if len(text) >= end else None
