"""Downloading the results of a job (spec storage.md 8.2, 8.3).

Every result is fetched into ``DIR/raw``; archives are unpacked there, and their content is merged
into ``DIR``. Nothing in ``DIR`` is touched before everything is fetched and known to fit.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bacalhau.client.addresses import RemoteFile
from bacalhau.client.failures import COMPONENT
from bacalhau.client.fetch import fetch
from bacalhau.client.merge import Merge
from bacalhau.client.partial import PARTIAL_SUFFIXES
from bacalhau.client.present import missing_files
from bacalhau.client.results import OPENED, PARTS
from bacalhau.client.single import PathInArchives, narrowed, no_such_path
from bacalhau.client.unpacking import open_archive, remove_tree
from bacalhau.errors import Code, ConflictError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bacalhau.client.meter import Meter
    from bacalhau.client.results import PublishedFile, Result

_RAW = "raw"
_WHILE_MERGING = ".bacalhau-raw"


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """What is to be downloaded, and where to.

    ``directory`` exists. With ``raw`` the files stay in ``DIR/raw`` as they are published. ``only``
    is the clean relative path of one file or folder of the results; the rest is left out.
    """

    results: Sequence[Result]
    directory: Path
    raw: bool = False
    only: str = ""


def download_results(download: Download, meter: Meter, tick: Callable[[], None]) -> bool:
    """Download results; False when they are there already, and nothing was fetched.

    ``tick`` is called several times a second; what it raises ends the download. After an error
    ``DIR/raw`` is there only if it holds what a later call goes on from.

    Raises:
        ConflictError: a file is there already, or another process downloads to the same place;
            nothing was merged.
        NotFoundError: ``only`` names nothing.
        BacalhauError: a result cannot be fetched, is not what was published, or is damaged.
        OSError: the disk refuses.
    """
    run = _Run(download, meter, tick)
    if download.raw:
        run.fetch()
        return meter.now().moved_bytes > 0
    if run.is_there():
        return False
    run.fetch_and_merge()
    return True


class _Run:
    """One download."""

    def __init__(self, download: Download, meter: Meter, tick: Callable[[], None]) -> None:
        self._directory = download.directory
        self._store = download.directory / _RAW
        self._published = download.results
        self._only = download.only
        self._results = (
            [narrowed(result, download.only) for result in download.results]
            if download.only
            else download.results
        )
        self._meter = meter
        self._tick = tick
        self._names: set[str] = set()
        self._kept: set[Path] = set()

    def is_there(self) -> bool:
        """Tell whether the directory holds just these results already.

        Raises:
            ConflictError: it does not, and something of it would be in the way.
        """
        missing, collision = missing_files(self._directory, self._results)
        if not missing and any(result.files for result in self._results):
            return True
        only = self._directory / self._only
        if self._only and os.path.lexists(only) and not only.is_dir():
            raise _collision(only)
        is_known = not self._only or all(r.contents is not None for r in self._results)
        is_fetched = all((self._store / r.name / f.path).is_file() for r, f in missing)
        if collision is not None and is_known and not is_fetched:
            raise _collision(collision)
        return False

    def fetch(self) -> None:
        """Fetch everything into the store, and leave it there."""
        with self._holding_store():
            self._fetch([(result, file) for result in self._results for file in result.files])

    def fetch_and_merge(self) -> None:
        """Fetch what is missing, and put it into the directory."""
        with self._holding_store():
            if self._only:
                self._kept = {path for path in self._paths() if path.exists()}
                trees = self._fetch_path()
            else:
                missing, _ = missing_files(self._directory, self._results)
                self._fetch(missing)
                wanted = {result.name for result, _ in missing}
                results = [result for result in self._results if result.name in wanted]
                trees = [self._opened(result) for result in results]
            self._merge(trees)

    def _fetch(self, wanted: Sequence[tuple[Result, PublishedFile]]) -> None:
        files = [
            RemoteFile(
                address=file.address,
                destination=_with_folder(self._store / result.name / file.path),
                stem=_with_folder(self._stem(result, file)),
                size_bytes=file.size_bytes,
                digest=file.digest,
            )
            for result, file in wanted
        ]
        fetch(files, self._meter, self._tick)

    def _stem(self, result: Result, file: PublishedFile) -> Path:
        """Return where a file is while it is incomplete: never where another one may belong."""
        if not result.is_tree:
            return self._store / result.name
        name = hashlib.sha256(file.path.encode()).hexdigest()
        return self._store / f"{result.name}{PARTS}" / name

    def _fetch_path(self) -> list[Path]:
        """Fetch one path; of archives that are here already it is taken from those."""
        archives = [result for result in self._results if result.is_archive]
        others = [result for result in self._results if not result.is_archive]
        self._fetch([(result, file) for result in others for file in result.files])
        path = PathInArchives(self._only, self._meter)
        away = []
        for result in archives:
            archive, tree = self._store / result.name, self._new_tree(result)
            if archive.is_file():
                path.open(archive, tree)
            else:
                away.append((result.name, result.files[0].address, tree))
        if away:
            path.stream(away, self._tick)
        self._names = path.names
        return [self._new_tree(result, is_kept=True) for result in archives] + [
            self._opened(result) for result in others
        ]

    def _opened(self, result: Result) -> Path:
        """Return the folder with what is in a result."""
        stored, tree = self._store / result.name, self._new_tree(result)
        if not result.is_archive:
            for file in result.files:
                source = stored / file.path
                if source.is_file():  # not so if the directory had it already
                    _also_at(source, _with_folder(tree / (file.path or result.name)))
            return tree
        try:
            with stored.open("rb") as archive:
                open_archive(archive, result.name, stored.stat().st_size, tree)
        except UserError as exc:
            if exc.code == Code.DAMAGED_RESULT:
                stored.unlink()
            raise
        return tree

    def _merge(self, trees: Sequence[Path]) -> None:
        merge = self._collected(trees)
        if _RAW in merge.names:
            # The results have something that is called as the store is.
            trees = self._moved_aside(trees)
            merge = self._collected(trees)
        merge.check()
        if merge.collision is not None:
            self._remove()
            raise _collision(merge.collision)
        if self._only and merge.is_empty:
            listed = [file.path for result in self._published for file in result.files]
            raise no_such_path(self._only, [*self._names, *filter(None, listed)])
        merge.apply()
        self._remove()

    def _collected(self, trees: Sequence[Path]) -> Merge:
        merge = Merge(self._directory)
        for tree in trees:
            merge.add(tree)
        return merge

    def _new_tree(self, result: Result, *, is_kept: bool = False) -> Path:
        """Return the folder for the content of an archive, empty unless it is kept."""
        tree = self._store / f"{result.name}{OPENED}"
        if not is_kept:
            remove_tree(tree)
            tree.mkdir()
        return tree

    def _paths(self) -> Iterator[Path]:
        """Yield everything that may be ours in the store, which others may use too."""
        for result in self._results:
            for suffix in ("", OPENED, PARTS, *PARTIAL_SUFFIXES):
                yield self._store / f"{result.name}{suffix}"

    def _remove(self) -> None:
        """Remove what is in the store, but for what was not brought there for this."""
        for path in self._paths():
            if path not in self._kept:
                remove_tree(path)
        _remove_empty(self._store)

    def _moved_aside(self, trees: Sequence[Path]) -> list[Path]:
        aside = self._directory / _WHILE_MERGING
        remove_tree(aside)
        aside.mkdir()
        for path in filter(Path.exists, self._paths()):
            path.rename(aside / path.name)
        _remove_empty(self._store)
        self._store = aside
        return [aside / tree.name for tree in trees]

    @contextmanager
    def _holding_store(self) -> Iterator[None]:
        """Keep the store for this process; afterwards nothing is in it that is of no use."""
        with _locked(self._store):
            try:
                yield
            finally:
                for result in self._results:
                    remove_tree(self._store / f"{result.name}{OPENED}")
                for path in self._paths():
                    for folder, _, _ in os.walk(path, topdown=False):
                        _remove_empty(Path(folder))
                _remove_empty(self._store)


@contextmanager
def _locked(store: Path) -> Iterator[None]:
    """Keep a folder for this process.

    Raises:
        ConflictError: another process has it, or it is no folder.
    """
    try:
        store.mkdir(exist_ok=True)
    except FileExistsError as exc:
        raise ConflictError(
            f"{store} is in the way: it has to be a folder, for what has arrived",
            hint="move it away, or name another directory with --output-dir",
            component=COMPONENT,
        ) from exc
    descriptor = os.open(store, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as exc:
        raise ConflictError(
            f"another process downloads to {store.parent}",
            hint="wait until it is done, or name another directory with --output-dir",
            component=COMPONENT,
        ) from exc
    finally:
        os.close(descriptor)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _with_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _also_at(source: Path, target: Path) -> None:
    """Give a file one more name, so that it is not lost when this is cut short."""
    try:
        target.hardlink_to(source)
    except OSError:  # the disk may have no such thing
        source.rename(target)


def _collision(path: Path) -> ConflictError:
    hint = f"move {path.name} away, or name another directory with --output-dir"
    if not os.path.lexists(path):  # then it is not the directory that has it
        hint = "several executions have it; --raw keeps the results of each by themselves"
    return ConflictError(
        f"cannot merge results as output already exists: {path}. "
        "Try --raw to keep results as they are, or another directory",
        hint=hint,
        component=COMPONENT,
    )
