"""Files and directories that are on the node already (spec storage.md 6.1, 9.3).

Nothing is copied and nothing is removed: the task gets the node's own data, read-only unless the
job asks for more and the operator's list grants it. A path counts as what it leads to: it has to be
on the list as it is written and as it is once all symbolic links are followed.
"""

from __future__ import annotations

import asyncio
import enum
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from bacalhau.errors import Code, UnsuitableNodeError, ValidationError
from bacalhau.models.decode import decode_params, ignored_params
from bacalhau.models.params import ParamsModel
from bacalhau.ports import WHOLE, Fetched, InputPlan, PlannedObject, Volume
from bacalhau.sources._allow_list import KEY, AllowList

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence
    from concurrent.futures import Executor

    from bacalhau.models import InputSource, SpecConfig
    from bacalhau.ports import Partition, PluginContext
    from bacalhau.ports.plugin import Progress

T = TypeVar("T")

COMPONENT = "LocalInputSource"
_CREATED_MODE = 0o700
_MAX_PATH_BYTES = 4096


class LocalParams(ParamsModel, frozen=True, kw_only=True):
    """What is wanted. ``path`` is another name of ``source_path``, which the documents use."""

    source_path: str = ""
    read_write: bool | str = False
    create_as: str = ""
    path: str = ""


class CreateAs(enum.Enum):
    """What to make of a path that is not there. The values are compared in lower case."""

    NOTHING = "nocreate"
    DIRECTORY = "dir"
    FILE = "file"


class Wanted(NamedTuple):
    """A request for a path, which is absolute and normalised."""

    path: str
    is_writable: bool
    create_as: CreateAs


class LocalSource:
    """Lends what is on the node."""

    def __init__(self, allowed: AllowList, executor: Executor) -> None:
        self._allowed = allowed
        self._executor = executor

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Judge parameters; see ``ports.Plugin``."""
        params = decode_params(LocalParams, spec)
        _wanted(params)
        return [*ignored_params("source", LocalParams, spec), *_warnings(params)]

    @classmethod
    @asynccontextmanager
    async def open(cls, context: PluginContext) -> AsyncIterator[LocalSource]:
        """Make a live instance; see ``ports.Plugin``.

        Raises:
            UserError: code ``ConfigurationError``: the list has an entry that is no pattern.
        """
        allowed = AllowList(context.settings.words(KEY))
        with ThreadPoolExecutor(2, thread_name_prefix="local") as executor:
            yield cls(allowed, executor)

    async def is_available(self) -> bool:
        """Tell whether the operator has put anything on the list."""
        return bool(self._allowed)

    async def has_locally(self, source: InputSource) -> bool:
        """Tell whether the path is allowed, and there; see ``ports.LocalPresence``."""
        try:
            return await self._find(_read(source)) is not None
        except UnsuitableNodeError:
            return False

    async def plan(self, source: InputSource, partition: Partition = WHOLE) -> InputPlan:
        """Find the path. It needs no space, so its size is 0; see ``ports.Source``.

        Raises:
            UnsuitableNodeError: it is not on the list, or not there.
        """
        del partition  # the task sees the path itself
        wanted = _read(source)
        found = await self._find(wanted)
        if found is None and not _may_create(wanted):
            raise _missing(wanted)
        is_directory = found.is_directory if found else wanted.create_as is CreateAs.DIRECTORY
        item = PlannedObject(key=wanted.path, path=".", size_bytes=0, is_directory=is_directory)
        return InputPlan(objects=(item,), is_file=not is_directory, origin=wanted.path)

    async def fetch(
        self, source: InputSource, plan: InputPlan, directory: Path, progress: Progress
    ) -> Fetched:
        """Lend the path, which is judged anew; see ``ports.Source``.

        Raises:
            UnsuitableNodeError: as ``plan``; or it cannot be created.
        """
        wanted = _read(source)
        found = await self._find(wanted)
        if found is None and _may_create(wanted):
            await self._in_thread(partial(_create, _resolved(wanted, self._allowed), wanted))
            found = await self._find(wanted)
        if found is None:
            raise _missing(wanted)
        progress(0, len(plan.objects))
        volume = Volume(path=found.path, target=source.target, read_only=not wanted.is_writable)
        return Fetched(volume=volume)

    async def _find(self, wanted: Wanted) -> _Found | None:
        return await self._in_thread(partial(_find, wanted, self._allowed))

    async def _in_thread(self, step: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, step)


class _Found(NamedTuple):
    """What a path leads to, without symbolic links."""

    path: Path
    is_directory: bool


def _read(source: InputSource) -> Wanted:
    return _wanted(decode_params(LocalParams, source.source))


def _wanted(params: LocalParams) -> Wanted:
    """Judge the values of parameters.

    Raises:
        ValidationError: with every problem.
    """
    problems = list(_problems(params))
    if problems:
        raise ValidationError(
            "\n".join(f"invalid local storage params: {text}" for _, text in problems),
            component=COMPONENT,
            hint="SourcePath is an absolute path on the compute node, such as /data/images",
            fields=[f"Params.{name}" for name, _ in problems],
        )
    segments = [segment for segment in _path(params).split("/") if segment not in ("", ".")]
    return Wanted("/" + "/".join(segments), _is_writable(params), _create_as(params))


def _problems(params: LocalParams) -> Iterator[tuple[str, str]]:
    path = _path(params)
    if not path:
        yield "SourcePath", "SourcePath cannot be empty"
    elif "\0" in path:
        yield "SourcePath", "SourcePath contains a null byte"
    elif not path.startswith("/"):
        yield "SourcePath", f'SourcePath "{path}" is not absolute'
    elif ".." in path.split("/"):
        yield "SourcePath", f'SourcePath "{path}" contains ".."'
    elif len(path.encode()) > _MAX_PATH_BYTES:
        yield "SourcePath", f"SourcePath is longer than {_MAX_PATH_BYTES} bytes"
    try:
        _create_as(params)
    except ValueError:
        yield "CreateAs", f"invalid CreateAs value {params.create_as}"


def _warnings(params: LocalParams) -> Iterator[str]:
    if params.path and params.source_path:
        yield "Path is ignored, because SourcePath is given"
    elif params.path:
        yield "Path is understood as SourcePath; write SourcePath"
    if isinstance(params.read_write, str) and params.read_write not in ("true", "false", ""):
        yield f'ReadWrite "{params.read_write}" is not true: the volume is read-only'
    if _create_as(params) is not CreateAs.NOTHING and not _is_writable(params):
        yield "CreateAs has no effect without ReadWrite"


def _path(params: LocalParams) -> str:
    return params.source_path or params.path


def _is_writable(params: LocalParams) -> bool:
    return params.read_write is True or params.read_write == "true"


def _create_as(params: LocalParams) -> CreateAs:
    return CreateAs(params.create_as.lower() or CreateAs.NOTHING.value)


def _may_create(wanted: Wanted) -> bool:
    return wanted.is_writable and wanted.create_as is not CreateAs.NOTHING


def _find(wanted: Wanted, allowed: AllowList) -> _Found | None:
    """Return what is at a path, or None when nothing is.

    Raises:
        UnsuitableNodeError: the path is not on the list, or is of no use here.
    """
    path = _resolved(wanted, allowed)
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as exc:
        raise _unusable(wanted, exc.strerror or str(exc)) from exc
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise _unusable(wanted, "it is neither a file nor a directory")
    return _Found(path, stat.S_ISDIR(mode))


def _resolved(wanted: Wanted, allowed: AllowList) -> Path:
    """Follow all symbolic links, but not before the path itself is known to be on the list.

    Raises:
        UnsuitableNodeError: the path, or what it leads to, is not on the list.
    """
    _check_allowed(wanted, wanted.path, allowed)
    real = os.path.realpath(wanted.path)
    _check_allowed(wanted, real, allowed)
    return Path(real)


def _check_allowed(wanted: Wanted, path: str, allowed: AllowList) -> None:
    if allowed.allows(path, writing=wanted.is_writable):
        return
    can_read = allowed.allows(path, writing=False)
    problem = "is not granted write access" if can_read else "is not allowlisted"
    added = f"{wanted.path}:rw" if wanted.is_writable else wanted.path
    hint = f"its operator can add {added} to {KEY}"
    if path != wanted.path:
        hint = f"a symbolic link leads out of the paths in {KEY} of the node"
    raise UnsuitableNodeError(
        f"volume {wanted.path} {problem}",
        code=Code.VOLUME_NOT_ALLOWED,
        component=COMPONENT,
        hint=hint,
        fields=["Params.SourcePath"],
    )


def _create(path: Path, wanted: Wanted) -> None:
    """Make what is missing, for the node's own user alone.

    Raises:
        UnsuitableNodeError: the disk refuses.
    """
    try:
        for parent in reversed(path.parents):
            if not parent.exists():
                parent.mkdir(_CREATED_MODE, exist_ok=True)
        if wanted.create_as is CreateAs.DIRECTORY:
            path.mkdir(_CREATED_MODE, exist_ok=True)
        else:
            path.touch(_CREATED_MODE)
    except OSError as exc:
        raise _unusable(wanted, f"it cannot be created: {exc.strerror or exc}") from exc


def _missing(wanted: Wanted) -> UnsuitableNodeError:
    hint = "check SourcePath; it is a path on the compute node, not where the job is submitted"
    if wanted.is_writable:
        hint += ", or let the node make it with CreateAs"
    return UnsuitableNodeError(
        f"volume {wanted.path} does not exist",
        code=Code.VOLUME_NOT_FOUND,
        component=COMPONENT,
        hint=hint,
        fields=["Params.SourcePath"],
    )


def _unusable(wanted: Wanted, reason: str) -> UnsuitableNodeError:
    return UnsuitableNodeError(
        f"volume {wanted.path} cannot be used: {reason}",
        code=Code.VOLUME_NOT_USABLE,
        component=COMPONENT,
        hint="check the permissions and the kind of the path on the compute node",
        fields=["Params.SourcePath"],
    )
