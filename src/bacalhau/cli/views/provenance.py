"""What executions have read and written, briefly."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from bacalhau.cli.table import Column, TableStyle, render_table
from bacalhau.cli.visible import visible

if TYPE_CHECKING:
    from bacalhau.models.job import SpecConfig
    from bacalhau.models.provenance import FileList, FileRecord, InputRecord, OutputRecord

SHOWN_EXECUTIONS = 100
SHOWN_FILES = 5
_SHOWN_CHARACTERS = 12
_PLAIN = TableStyle()


def input_lines(record: InputRecord) -> str:
    """Return what an execution read through one of its inputs."""
    place = record.origin or record.type
    if record.endpoint:
        place += f" at {record.endpoint}"
    head = f"{record.target} = {place}"
    if _is_lent(record):
        return visible(f"{head}: lent by the node, not hashed") + "\n"
    columns: list[Column[FileRecord]] = [
        Column("Key", lambda file: _name(file.key)),
        Column("Size", lambda file: str(file.size_bytes)),
        Column("Version", lambda file: _short(file.version_id)),
        Column("ETag", lambda file: _short(file.etag.removeprefix("W/").strip('"'))),
        Column("SHA-256", lambda file: _short(file.sha256)),
    ]
    return visible(f"{head}: {_amount(record)}") + "\n" + _files(record, columns)


def output_lines(record: OutputRecord, result: SpecConfig) -> str:
    """Return what an execution published, and where."""
    columns: list[Column[FileRecord]] = [
        Column("Path", lambda file: _name(file.path)),
        Column("Size", lambda file: str(file.size_bytes)),
        Column("SHA-256", lambda file: _short(file.sha256)),
    ]
    head = f"{_place(result) or record.type}: {_amount(record)}"
    return visible(head) + "\n" + _files(record, columns)


def _name(text: str) -> str:
    """Write a name on one line, whatever is in it: a newline would begin another row."""
    return text.replace("\n", r"\x0a").replace("\t", r"\x09")


def _place(result: SpecConfig) -> str:
    """Return the address of a published result, without what may be secret in it."""
    params = {name.lower(): str(value) for name, value in result.params.items()}
    if "bucket" in params and "key" in params:
        return f"s3://{params['bucket']}/{params['key']}"
    parts = urlsplit(params.get("url", ""))
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _files(record: FileList, columns: list[Column[FileRecord]]) -> str:
    """Return a table of the first files, without columns that are empty in all of them."""
    shown = record.files[:SHOWN_FILES]
    if not shown:
        return ""
    filled = [column for column in columns if any(column.value(file) for file in shown)]
    more = record.objects - len(shown)
    return render_table(filled, shown, _PLAIN) + (f" ... and {more} more\n" if more > 0 else "")


def _is_lent(record: InputRecord) -> bool:
    """Tell whether a path of the node was bound as it is, so that nothing more is known of it."""
    known = [file for file in record.files if file.sha256 or file.etag or file.size_bytes]
    return record.objects == 1 and not known


def _amount(record: FileList) -> str:
    noun = "file" if record.objects == 1 else "files"
    return f"{record.objects} {noun}, {record.size_bytes} bytes, digest {_short(record.digest)}"


def _short(text: str) -> str:
    return text[:_SHOWN_CHARACTERS]
