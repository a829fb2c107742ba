"""Job files in YAML or JSON (spec cli.md 11.2)."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from bacalhau.errors import UserError, ValidationError
from bacalhau.lib.nearest import did_you_mean
from bacalhau.lib.yaml_document import YamlError, load_yaml
from bacalhau.models._shapes import find_key
from bacalhau.models.decode import decode_job

if TYPE_CHECKING:
    from bacalhau.models.job import Job

_FIELDS = (
    "Name",
    "Namespace",
    "Type",
    "Priority",
    "Count",
    "Constraints",
    "Meta",
    "Labels",
    "Tasks",
)
_SHOWN_COLUMNS = 80
_SHAPE = "a job file has fields such as Name, Type and Tasks"
_DESCRIPTION = re.compile(r"\s*(\x1b\[\d*m)?ID += [^\n]*\nName +=")
_SYSTEM_FIELDS = ("ID", "State", "Version", "Revision", "CreateTime", "ModifyTime")
_WRAPPER_FIELDS = frozenset({"job", "executions", "history"})
_KNOWN = {name.lower(): name for name in (*_FIELDS, *_SYSTEM_FIELDS)}


def load_job(text: str) -> tuple[Job, list[str]]:
    """Read a job file; return the job with warnings.

    The output of ``job describe`` is read, too: of its keys, only ``Job`` counts. Fields that the
    system sets are read as they are; ``sanitise`` drops them with a warning.

    Raises:
        UserError: not YAML, with line and column; an unknown field; or as ``decode_job``.
    """
    if not text.strip():
        raise UserError("no content provided", hint=_SHAPE)
    if _DESCRIPTION.match(text):
        raise UserError(
            "this is the description of a job for people, not a job file",
            hint="`bacalhau job describe --spec JOB | bacalhau job run` runs a job once more",
        )
    data = _unwrapped(_parse(text))
    if data is None:
        raise ValidationError("empty/nil job", hint=_SHAPE)
    if not isinstance(data, dict):
        try:
            return decode_job(data)
        except ValidationError as exc:
            exc.hint = _SHAPE
            raise
    unknown = [key for key in data if key.lower() not in _KNOWN]
    try:
        job, warnings = decode_job(data)
    except ValidationError as exc:
        if not unknown:
            raise
        raise _unknown_fields(unknown, exc) from exc
    if unknown:
        raise _unknown_fields(unknown)
    return job, warnings


def _parse(text: str) -> Any:
    if text.lstrip().startswith("{"):
        # JSON proper is not quite a subset of YAML 1.1: tabs, \/ and surrogate pairs are not.
        try:
            return json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
        except (ValueError, RecursionError):
            pass
    try:
        return load_yaml(text)
    except YamlError as exc:
        raise UserError(
            f"the job file cannot be read: line {exc.line}, column {exc.column}: {exc.reason}",
            hint=_advice(text, exc),
        ) from exc


def _advice(text: str, error: YamlError) -> str:
    """Return the line that is not understood, and what is most often wrong with such lines."""
    lines = text.split("\n")[: error.line]
    while len(lines) > 1 and not lines[-1].strip():
        del lines[-1]  # what is missing at the end of a file is missing behind its last words
    line = lines[-1]
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return f"indent line {len(lines)} with spaces: YAML takes no tabs there"
    words = "".join(char if char.isprintable() else "?" for char in line[:_SHOWN_COLUMNS])
    shown = f"line {len(lines)} is `{words}`"
    usual = "; check its indentation, and quotes and brackets in and before it"
    return shown + usual if error.is_syntax else shown


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key is given twice")
    return result


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _unwrapped(data: Any) -> Any:
    if isinstance(data, dict) and find_key(data, "Job") is not None:
        names = {key.lower() for key in data}
        if names <= _WRAPPER_FIELDS:
            return data[find_key(data, "Job")]
    return data


def _unknown_fields(names: list[str], other: ValidationError | None = None) -> ValidationError:
    lines = [f"unknown field: '{name}' in 'Job'" for name in names]
    hints = [_nearest(name) for name in names]
    fields = list(names)
    if other is not None:
        lines.append(other.message)
        hints.append(other.hint)
        fields.extend(other.fields)
    return ValidationError(
        "\n".join(lines), hint="\n".join(dict.fromkeys(filter(None, hints))), fields=fields
    )


def _nearest(name: str) -> str:
    return did_you_mean(name, _KNOWN.values()) or "the fields are " + ", ".join(_FIELDS)
