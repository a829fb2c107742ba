"""From untyped JSON or YAML data to records, with every problem reported at once.

msgspec's own decoder is exact about the case of keys and stops at the first error; user-written
documents need neither (spec api.md W2, W4, storage.md 1.1). Data that we wrote ourselves is read
with msgspec directly.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import msgspec
from msgspec.inspect import is_struct_type

from bacalhau.errors import ValidationError
from bacalhau.models._shapes import BAD, TooMuchError, Walk, find_key, shape_of
from bacalhau.models._split_inputs import join_split_inputs
from bacalhau.models.job import Job
from bacalhau.models.problems import Problem, raise_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from bacalhau.models.job import SpecConfig

T = TypeVar("T")

_AT_BYTE = re.compile(r"^(?:JSON is malformed: )?(.*) \(byte ([0-9]+)\)$")


def decode(wanted: type[T], data: object, path: str = "") -> T:
    """Read data into a struct.

    Keys of structs match in any case (an exact one wins) and unknown keys are ignored; keys of
    maps are kept. Null means unset for a field, and the empty text in a map of texts. Nothing is
    converted: ``"5"`` is not a number. ``path`` is put before the paths in messages.

    Raises:
        ValidationError: with all problems; ``fields`` has their JSON paths.
    """
    value, problems = _walked(wanted, data, path)
    raise_for(problems)
    return cast("T", value)


def _walked(wanted: type[T], data: object, path: str) -> tuple[T | None, list[Problem]]:
    walk = Walk()
    value: Any = BAD
    with suppress(TooMuchError):
        value = walk.read(shape_of(cast("Any", wanted)), data, path)
    return (None if walk.problems else value), walk.problems


def decode_json(wanted: type[T], body: bytes) -> T:
    """Read JSON text into a struct; see ``decode``.

    Raises:
        ValidationError: not JSON, with line and column; or as ``decode``.
    """
    return decode(wanted, parse_json(body))


def parse_json(body: bytes) -> Any:
    """Read JSON text into dicts, lists, texts, numbers, booleans and None.

    Raises:
        ValidationError: not JSON in UTF-8, with line and column.
    """
    try:
        body.decode()
        return msgspec.json.decode(body)
    except UnicodeDecodeError as exc:
        raise _json_error("not valid UTF-8", body, exc.start) from exc
    except RecursionError as exc:
        raise ValidationError("invalid JSON: nested too deeply") from exc
    except msgspec.MsgspecError as exc:
        match = _AT_BYTE.match(str(exc))
        if match:
            raise _json_error(match[1], body, int(match[2])) from exc
        raise _json_error(str(exc), body, len(body)) from exc


def decode_job(data: object) -> tuple[Job, list[str]]:
    """Read a job from untyped data; return it with warnings.

    Raises:
        ValidationError: no job at all, or a shape that is not a job's, with all problems.
    """
    if data is None:
        raise ValidationError("empty/nil job", hint='a submission has the form {"Job": {...}}')
    if not isinstance(data, dict):
        return decode(Job, data), []
    document = dict(data)
    count = find_key(document, "Count")
    if count is None or document[count] is None:
        document["Count"] = 1
    warnings = join_split_inputs(document)
    job, problems = _walked(Job, document, "")
    if problems and not _value(document, "Tasks"):
        problems.append(Problem("Tasks", "missing job tasks"))
    raise_for(problems)
    assert job is not None, "a document without problems is a job"
    return job, warnings


def decode_put_job(body: bytes) -> tuple[Job, list[str]]:
    """Read the body of a submission, ``{"Job": ...}``; return the job with warnings.

    Raises:
        ValidationError: as ``decode_job``, or not JSON.
    """
    job, warnings, _ = decode_submission(body)
    return job, warnings


def decode_submission(body: bytes) -> tuple[Job, list[str], str]:
    """Read the body of a submission; return the job, warnings, and the idempotency token or "".

    Raises:
        ValidationError: as ``decode_job``, or not JSON.
    """
    data = parse_json(body) if body.strip() else {}
    if not isinstance(data, dict):
        raise ValidationError('expected an object with the key "Job"', fields=["Job"])
    job, warnings = decode_job(_value(data, "Job"))
    token = _value(data, "IdempotencyToken")
    return job, warnings, token if isinstance(token, str) else ""


def _value(data: dict[Any, Any], name: str) -> Any:
    key = find_key(data, name)
    return None if key is None else data[key]


def decode_params(wanted: type[T], spec: SpecConfig, path: str = "Params") -> T:
    """Read the parameters of an engine, source, publisher or result; see ``decode``.

    Raises:
        ValidationError: as ``decode``.
    """
    return decode(wanted, spec.params, path)


def judged_params(wanted: type[T], spec: SpecConfig, rules: Callable[[T], Iterable[Problem]]) -> T:
    """Read parameters, and judge them by the rules of their type.

    Raises:
        ValidationError: with all problems and their paths below ``Params``.
    """
    params = decode_params(wanted, spec)
    raise_for(list(rules(params)))
    return params


def params_problems(
    wanted: type[T], spec: SpecConfig, rules: Callable[[T], Iterable[Problem]]
) -> list[Problem]:
    """Return what is wrong with parameters, instead of raising it; see ``judged_params``."""
    params, problems = _walked(wanted, spec.params, "Params")
    return problems if params is None else list(rules(params))


def ignored_params(role: str, wanted: type[Any], spec: SpecConfig) -> list[str]:
    """Warn of parameters that have no effect; ``role`` is engine, source or publisher."""
    return [
        f'{role} {spec.kind} ignores the unknown parameter "{name}"'
        for name in unknown_params(wanted, spec)
    ]


def unknown_params(wanted: type[Any], spec: SpecConfig) -> list[str]:
    """Return the names of parameters that the type does not know, sorted, as ``Outer.Inner``."""
    return sorted(_unknown(cast("Any", wanted), spec.params, ""))


def _unknown(wanted: Any, data: dict[Any, Any], path: str) -> Iterator[str]:
    known = _types_by_name(wanted)
    for name, value in data.items():
        place, found = f"{path}{name}", str(name).lower()
        if found not in known:
            yield place
        elif isinstance(value, dict) and is_struct_type(known[found]):
            yield from _unknown(known[found], value, f"{place}.")


@cache
def _types_by_name(wanted: Any) -> dict[str, Any]:
    return {field.encode_name.lower(): field.type for field in msgspec.structs.fields(wanted)}


def _json_error(reason: str, body: bytes, position: int) -> ValidationError:
    before = body[:position]
    line = before.count(b"\n") + 1
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return ValidationError(f"invalid JSON at line {line}, column {column}: {reason}")
