"""Input that is written into the job itself, as a data URL (spec storage.md 6.4).

``data:,hello`` is a small file; ``data:application/gzip;base64,...`` is a tar.gz archive that
becomes a directory.
"""

from __future__ import annotations

import base64
import io
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes

from bacalhau.errors import UserError, ValidationError
from bacalhau.lib.archives import ArchiveError, ArchiveLimits, unpack
from bacalhau.lib.threads import run_to_end
from bacalhau.models.decode import decode_params, ignored_params
from bacalhau.models.params import ParamsModel
from bacalhau.ports import WHOLE, Fetched, InputPlan, PlannedObject
from bacalhau.sources._rules import disk, mounts_read_only, volume

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from concurrent.futures import Executor

    from bacalhau.models import InputSource, SpecConfig
    from bacalhau.ports import Partition, PluginContext
    from bacalhau.ports.plugin import Progress

COMPONENT = "InlineInputSource"
_ARCHIVE = "application/gzip"
_LIMITS = ArchiveLimits(total_bytes=100 * 2**20, file_bytes=10 * 2**20, entries=10_000)


class InlineParams(ParamsModel, frozen=True, kw_only=True):
    """``url`` is a data URL of RFC 2397."""

    url: str = ""


class InlineSource:
    """Writes the data of a job to disk."""

    def __init__(self, executor: Executor, *, read_only: bool) -> None:
        self._executor = executor
        self._read_only = read_only

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Judge parameters; see ``ports.Plugin``."""
        _read_url(spec)
        return ignored_params("source", InlineParams, spec)

    @classmethod
    @asynccontextmanager
    async def open(cls, context: PluginContext) -> AsyncIterator[InlineSource]:
        """Make a live instance; see ``ports.Plugin``."""
        with ThreadPoolExecutor(2, thread_name_prefix="inline") as executor:
            yield cls(executor, read_only=mounts_read_only(context.settings))

    async def is_available(self) -> bool:
        """Every node can write a file."""
        return True

    async def has_locally(self, source: InputSource) -> bool:
        """The job brings it along."""
        return True

    async def plan(self, source: InputSource, partition: Partition = WHOLE) -> InputPlan:
        """Measure the content; see ``ports.Source``."""
        del partition  # what stands in the job is whole
        kind, data = _read_url(source.source)
        is_archive = kind == _ARCHIVE
        size = (
            await run_to_end(self._executor, partial(_unpacked_size, data))
            if is_archive
            else len(data)
        )
        path = "." if is_archive else "data"
        item = PlannedObject(key="inline", path=path, size_bytes=size, is_directory=is_archive)
        return InputPlan(objects=(item,), is_file=not is_archive, is_in_job=True)

    async def fetch(
        self, source: InputSource, plan: InputPlan, directory: Path, progress: Progress
    ) -> Fetched:
        """Write the content; see ``ports.Source``."""
        kind, data = _read_url(source.source)
        write = partial(_unpack if kind == _ARCHIVE else _write, data, directory)
        with disk(directory, plan.size_bytes, COMPONENT):
            await run_to_end(self._executor, write)
        progress(plan.size_bytes, 1)
        return Fetched(volume=volume(source, plan, directory, read_only=self._read_only))


def _read_url(spec: SpecConfig) -> tuple[str, bytes]:
    """Return the media type and the content of a data URL."""
    url = decode_params(InlineParams, spec).url
    head, comma, text = url.partition(",")
    kind, *options = head.removeprefix("data:").split(";")
    data = unquote_to_bytes(text)
    try:
        if not head.startswith("data:") or not comma:
            raise ValueError("it must have the form data:[TYPE][;base64],CONTENT")
        if "base64" in options:
            data = base64.b64decode(data, validate=True)
    except ValueError as exc:
        raise ValidationError(
            f"invalid inline storage params: URL {url[:40]!r} is not a data URL: {exc}",
            component=COMPONENT,
            fields=["Params.URL"],
        ) from exc
    return kind.lower(), data


def _unpacked_size(data: bytes) -> int:
    with TemporaryDirectory() as name:
        _unpack(data, Path(name))
        facts = (path.lstat() for path in Path(name).rglob("*"))
        return sum(each.st_size for each in facts if stat.S_ISREG(each.st_mode))


def _unpack(data: bytes, directory: Path) -> None:
    try:
        unpack(io.BytesIO(data), directory, _LIMITS)
    except ArchiveError as exc:
        raise UserError(
            f"the inline archive cannot be unpacked: {exc}",
            component=COMPONENT,
            fields=["Params.URL"],
        ) from exc


def _write(data: bytes, directory: Path) -> None:
    path = directory / "data"
    path.write_bytes(data)
    path.chmod(0o644)
