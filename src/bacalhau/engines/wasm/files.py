"""The file system that a WebAssembly module sees (spec engines.md 3.4).

WASI knows directories that are opened beforehand, and a path belongs to the longest of their names
that it starts with. So ``/`` is a skeleton of empty directories in which the mount points can be
listed, and every input and output is opened under its own path.
"""

from __future__ import annotations

import os
import posixpath
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bacalhau.errors import Code, ExecutionError
from bacalhau.lib.paths import clean_relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from bacalhau.ports import Volume


@dataclass(frozen=True, slots=True)
class Preopen:
    """A directory of the node under its name in the module."""

    host: Path
    guest: str
    is_writable: bool


def plan_preopens(
    skeleton: Path, inputs: Iterable[Volume], outputs: Sequence[Volume]
) -> tuple[list[Preopen], list[tuple[Path, Path]]]:
    """Decide what is opened, and which single files must be placed in the skeleton.

    Returns:
        The directories, ``/`` first, and pairs of (file of the node, its place in the skeleton).

    Raises:
        ExecutionError: code ``FilesystemError``; two mounts under one path, or a path that cannot
            be one.
    """
    directories: dict[str, Preopen] = {}
    files: dict[str, Path] = {}
    for volume in inputs:
        guest = _guest_path(volume)
        if volume.path.is_file():
            _claim(guest, directories, files)
            files[guest] = volume.path
        else:
            _claim(guest, directories, files)
            directories[guest] = Preopen(volume.path, guest, is_writable=False)
    for volume in outputs:
        guest = _guest_path(volume)
        _claim(guest, directories, files)
        directories[guest] = Preopen(volume.path, guest, is_writable=True)
    for volume in outputs:
        # v1.5 put outputs under their name, whatever their path; modules may rely on that.
        name = f"/{volume.path.name}"
        if name not in directories and name not in files:
            directories[name] = Preopen(volume.path, name, is_writable=True)
    for guest in files:
        _check_reachable(guest, directories)
    root = directories.pop("/", Preopen(skeleton, "/", is_writable=False))
    placed = [(path, _inside(skeleton, guest)) for guest, path in files.items()]
    return [root, *directories.values()], placed


def build_skeleton(
    skeleton: Path, preopens: Iterable[Preopen], files: Iterable[tuple[Path, Path]]
) -> None:
    """Make the directories of the skeleton and place single files in it.

    A file is linked where the disk allows it, else copied; the module cannot write to either.

    Raises:
        OSError: the disk refuses.
    """
    skeleton.mkdir(parents=True)
    for preopen in preopens:
        _inside(skeleton, preopen.guest).mkdir(parents=True, exist_ok=True)
    for source, place in files:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, place)
        except OSError:
            shutil.copyfile(source, place)


def _inside(skeleton: Path, guest: str) -> Path:
    return skeleton / guest.removeprefix("/")


def _guest_path(volume: Volume) -> str:
    try:
        return "/" + clean_relative(volume.target.lstrip("/"))
    except ValueError as exc:
        raise ExecutionError(
            f'cannot mount an input or output at "{volume.target}": {exc}',
            code=Code.FILESYSTEM,
            component="WASM",
        ) from exc


def _claim(guest: str, directories: dict[str, Preopen], files: dict[str, Path]) -> None:
    if guest in directories or guest in files:
        raise ExecutionError(
            f'a filesystem with prefix "{guest}" is already mounted',
            code=Code.FILESYSTEM,
            hint="give every input its own Target and every result path its own Path",
            component="WASM",
        )


def _check_reachable(guest: str, directories: dict[str, Preopen]) -> None:
    """A file shows through the skeleton only, so no directory may cover its place."""
    parent = posixpath.dirname(guest)
    while True:
        if parent in directories:
            raise ExecutionError(
                f'the input file "{guest}" lies inside "{parent}", which is mounted as a directory',
                code=Code.FILESYSTEM,
                hint=f'give the file a Target outside "{parent}"',
                component="WASM",
            )
        if parent == "/":
            return
        parent = posixpath.dirname(parent)
