"""What an execution read and wrote: origin, size, version and SHA-256 of every file.

A list of files can be long, so it has two forms. Its *digest* is the SHA-256 over one line for each
file, in the order of the list: the file's record without ETag and VersionID, as JSON without
spaces, and a line feed. Executions that read or wrote the same have the same digest, and a list in
full, wherever it is kept, can be checked against it. What is stored and sent is cut to the first
files.
"""

from __future__ import annotations

import msgspec

from bacalhau.models._naming import Model, always, always_list
from bacalhau.models.ids import ExecutionID, NodeID


class FileRecord(Model, frozen=True, kw_only=True):
    """One file, or one object of an input.

    ``key`` names it at its origin; outputs have none. ``path`` is where it lies below the input's
    target, or in the results. ``etag`` and ``version_id`` are as the origin told them. ``sha256``
    is hexadecimal; empty where nobody on the node read the bytes, as with folders of the node.
    """

    key: str = ""
    path: str = always("")
    size_bytes: int = always(0)
    etag: str = msgspec.field(default="", name="ETag")
    version_id: str = ""
    sha256: str = ""
    is_directory: bool = False

    @property
    def content(self) -> FileRecord:
        """What a digest covers: all but how the origin calls this content at the moment."""
        return msgspec.structs.replace(self, etag="", version_id="")


class FileList(Model, frozen=True, kw_only=True):
    """Files with their number, the sum of their sizes and their digest, which cover all of them.

    ``files`` holds the first of them; it was cut when ``objects`` is larger than its length.
    """

    objects: int = always(0)
    size_bytes: int = always(0)
    digest: str = always("")
    files: list[FileRecord] = always_list()


class InputRecord(FileList, frozen=True, kw_only=True):
    """What an execution read through one of its inputs.

    ``target`` is where the task found it, ``type`` the kind of source. ``origin`` says where all of
    it is from, without credentials, and ``endpoint`` which server, where the origin does not.
    """

    target: str = always("")
    type: str = always("")
    origin: str = always("")
    endpoint: str = ""


class OutputRecord(FileList, frozen=True, kw_only=True):
    """What an execution published; ``type`` is that of its ``PublishedResult``."""

    type: str = always("")


class ExecutionProvenance(Model, frozen=True, kw_only=True):
    """What one execution read and wrote. ``outputs`` is missing until something was published."""

    execution_id: ExecutionID = always("")
    node_id: NodeID = always("")
    inputs: list[InputRecord] = always_list()
    outputs: OutputRecord | None = None
