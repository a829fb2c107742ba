"""Fetching files by HTTP: in parallel ranges, each file whole or not at all, and resumable.

A file exists under its name only when it is complete and is what was published. Until then it is a
``Partial``, from which this process and later ones go on.
"""

from __future__ import annotations

import hashlib
import http.client
import random
import shutil
import ssl
import threading
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from bacalhau.client.answers import (
    CHANGED,
    PARTIAL,
    UNSATISFIABLE,
    WHOLE,
    Body,
    BusyError,
    broken,
    read_head,
    refusal,
)
from bacalhau.client.failures import COMPONENT, REPLACED_HINT
from bacalhau.client.lanes import Lanes, StoppedError
from bacalhau.client.partial import Original, Partial
from bacalhau.errors import Code, ConflictError, UserError
from bacalhau.lib.backoff import Backoff
from bacalhau.lib.units import format_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from bacalhau.client.addresses import Address, RemoteFile
    from bacalhau.client.meter import Meter
    from bacalhau.client.web import Web

PIECE_BYTES = 8 * 1024 * 1024
ATTEMPTS = 6
"""How often in a row a request may fail without a single byte."""

BACKOFF = Backoff(initial_seconds=0.2, maximum_seconds=10.0)
_CHUNK_BYTES = 256 * 1024
_RESTARTS = 3


class DiskError(Exception):
    """The disk refused; the cause says why. An OSError would be taken for one of the network."""


class _ChangedError(Exception):
    """The original is not what the parts that are there are of."""


class _StaleError(Exception):
    """The file was begun anew meanwhile."""


@dataclass
class _Piece:
    """A stretch of a file that one lane fetches. ``end`` None: not known yet."""

    position: int
    end: int | None
    generation: int
    noted: int = field(init=False)

    def __post_init__(self) -> None:
        self.noted = self.position


def fetch(files: Sequence[RemoteFile], meter: Meter, tick: Callable[[], None]) -> None:
    """Fetch files to their destinations, whose folders exist.

    ``tick`` is called several times a second; what it raises ends the download.

    Raises:
        BacalhauError: a server refuses, a transfer broke off several times, or what came is not
            what was published. What has arrived is kept for a later call, unless it is wrong.
        OSError: the disk refuses.
    """
    lanes = Lanes()
    transfers = [_Transfer(file, lanes, meter) for file in files]
    lanes.put(transfer.start for transfer in transfers)
    try:
        lanes.run(tick)
    except DiskError as exc:
        raise exc.args[0] from exc
    finally:
        for transfer in transfers:
            transfer.close()


def _probe(web: Web, address: Address) -> Body | None:
    """Ask what a file is, without its content; None where there is no answer to that."""
    for _ in range(2):
        url, headers = address.request()
        try:
            with web.get(url, {**headers, "Range": "bytes=0-0"}) as response:
                if response.status in (PARTIAL, WHOLE):
                    return read_head(response)
                if not address.learn(response.status, response.headers):
                    return None
        except (OSError, http.client.HTTPException):
            return None
    return None


class Retry:
    """How often, and after how long, what failed is tried again."""

    def __init__(self, lanes: Lanes, name: str) -> None:
        self._lanes = lanes
        self._name = name
        self._failures = 0
        self._chance = random.Random()  # noqa: S311

    def failed(self, cause: OSError | http.client.HTTPException, *, has_moved: bool) -> None:
        """Wait before the next attempt.

        Raises:
            TransientError: there is none.
            StoppedError: nobody wants it any more.
        """
        if self._lanes.stopped.is_set():
            raise StoppedError from cause
        self._failures = 1 if has_moved else self._failures + 1
        is_hopeless = isinstance(cause, ssl.SSLCertVerificationError)
        if is_hopeless or self._failures >= ATTEMPTS:
            raise broken(self._name, cause) from cause
        delay = BACKOFF.delay(self._failures - 1, self._chance.random())
        wanted = cause.after_seconds if isinstance(cause, BusyError) else 0.0
        self._lanes.pause(max(delay, wanted))


class _Transfer:
    """One file. Its pieces are fetched by several threads; the lock guards all that they share."""

    def __init__(self, file: RemoteFile, lanes: Lanes, meter: Meter) -> None:
        self._file = file
        self._lanes = lanes
        self._meter = meter
        self._number = meter.add_file(file.size_bytes)
        self._name = file.address.name
        self._partial = Partial(file.destination, file.stem)
        self._lock = threading.Lock()
        self._generation = 0
        self._pending = 0
        self._counted = 0
        self._asks_for_ranges = True
        self._modified: float | None = None

    def start(self, web: Web) -> None:
        """Find out what is there, and put what is missing into the lanes."""
        destination = self._file.destination
        if destination.is_file() and self._is_current(web):
            size = destination.stat().st_size
            self._meter.set_size(self._number, size)
            self._meter.found(size)
            self._meter.file_done()
            return
        destination.unlink(missing_ok=True)
        if not self._partial.resume(self._name) or self._is_unwanted():
            self._partial.discard()  # first of all, as it takes room
            self._open(web)
            return
        original = self._partial.original
        assert original is not None, "what is resumed is known"
        self._meter.set_size(self._number, original.size_bytes)
        self._count_found(self._partial.done_bytes)
        gaps = self._partial.missing()
        if gaps:
            self._put(gaps)
        else:
            self._finish()

    def close(self) -> None:
        """Let go of the file; what it has is kept."""
        with self._lock:
            self._generation += 1
            self._partial.close()

    def _is_current(self, web: Web) -> bool:
        """Tell whether a complete file, of an earlier call, is what would be fetched."""
        path, digest = self._file.destination, self._file.digest
        if digest is not None:
            return self._digest_of(path) == digest
        body = _probe(web, self._file.address)
        if body is None:
            return True
        status = path.stat()
        is_as_old = body.modified_seconds in (None, int(status.st_mtime))
        return is_as_old and body.size_bytes in (None, status.st_size)

    def _is_unwanted(self) -> bool:
        """Tell whether what is there is a part of something else than what was published."""
        wanted, original = self._file.size_bytes, self._partial.original
        return wanted is not None and original is not None and original.size_bytes != wanted

    def _open(self, web: Web) -> None:
        with self._lock:
            self._pending = 1
            piece = _Piece(0, None, self._generation)
        self._run(piece, web)

    def _put(self, spans: Sequence[tuple[int, int]]) -> None:
        pieces = [
            _Piece(position, min(position + PIECE_BYTES, end), self._generation)
            for start, end in spans
            for position in range(start, end, PIECE_BYTES)
        ]
        with self._lock:
            self._pending += len(pieces)
        self._lanes.put(partial(self._run, piece) for piece in pieces)

    def _run(self, piece: _Piece, web: Web) -> None:
        retry = Retry(self._lanes, self._name)
        try:
            is_complete = False
            while not is_complete:
                before = piece.position
                try:
                    is_complete = self._attempt(piece, web)
                except (OSError, http.client.HTTPException) as exc:
                    retry.failed(exc, has_moved=piece.position > before)
        except _StaleError:
            return
        except _ChangedError:
            self._restart(piece)
            return
        if piece.end is None:
            self._meter.set_size(self._number, piece.position)
        with self._lock:
            if piece.generation != self._generation:
                return
            self._pending -= 1
            is_last = not self._pending
        if is_last:
            self._finish()

    def _attempt(self, piece: _Piece, web: Web) -> bool:
        """Make one request; False when another one, in another form, is needed."""
        if self._lanes.stopped.is_set():
            raise StoppedError
        if piece.generation != self._generation:
            raise _StaleError
        original = self._partial.original if piece.end is not None else None
        url, headers = self._file.address.request()
        if self._asks_for_ranges:
            end = PIECE_BYTES if piece.end is None else piece.end
            headers["Range"] = f"bytes={piece.position}-{end - 1}"
            if original is not None:
                headers["If-Range"] = original.version
        with web.get(url, headers) as response:
            if response.status in (PARTIAL, WHOLE):
                return self._take(piece, read_head(response), response)
            if response.status in (CHANGED, UNSATISFIABLE) and original is not None:
                raise _ChangedError
            if response.status == UNSATISFIABLE and self._asks_for_ranges:
                self._asks_for_ranges = False  # an empty file has none
                return False
            if self._file.address.learn(response.status, response.headers):
                return False
            raise refusal(self._file.address, response)

    def _take(self, piece: _Piece, body: Body, response: http.client.HTTPResponse) -> bool:
        """Write the body of an answer; False when it is of no use."""
        if not self._asks_for_ranges or piece.end is None:
            if body.is_part and body.end != body.size_bytes and not body.version:
                if not self._asks_for_ranges:
                    raise http.client.HTTPException("the server sent a part, and not the whole")
                self._asks_for_ranges = False  # nothing would say whether parts fit together
                return False
            self._begin(piece, body)
        else:
            original = self._partial.original
            assert original is not None, "pieces are of something"
            found = (body.version, body.size_bytes)
            if not body.is_part or found != (original.version, original.size_bytes):
                raise _ChangedError
            if (body.start, body.end) != (piece.position, piece.end):
                raise http.client.HTTPException("the server sent another part than was asked for")
        self._modified = body.modified_seconds
        try:
            self._copy(piece, response)
        finally:
            self._note(piece)
        if piece.end is not None and piece.position < piece.end:
            raise http.client.IncompleteRead(b"", piece.end - piece.position)
        return True

    def _begin(self, piece: _Piece, body: Body) -> None:
        """Learn from the first answer what the file is, and what else is to be fetched."""
        size, wanted = body.size_bytes, self._file.size_bytes
        if wanted is not None and size is not None and size != wanted:
            raise self._mismatch(f": it has {size} bytes, and {wanted} were published")
        if body.start:
            raise http.client.HTTPException("the server sent another part than was asked for")
        self._check_room(size or 0)
        with self._lock:
            self._check(piece)
            self._uncount()
            try:
                self._partial.begin(Original(self._name, body.version, size))
            except OSError as exc:
                raise DiskError(exc) from exc
            piece.position = piece.noted = 0
            piece.end = body.end
        self._meter.set_size(self._number, size)
        if not body.is_part:
            self._asks_for_ranges = False
        elif size is not None and body.end is not None and body.end < size:
            self._put([(body.end, size)])

    def _copy(self, piece: _Piece, response: http.client.HTTPResponse) -> None:
        while data := response.read1(_CHUNK_BYTES):
            if self._lanes.stopped.is_set():
                raise StoppedError
            if piece.end is not None and len(data) > piece.end - piece.position:
                raise http.client.HTTPException("the server sent more than it announced")
            with self._lock:
                self._check(piece)
                try:
                    self._partial.write(data, piece.position)
                except OSError as exc:
                    raise DiskError(exc) from exc
                self._counted += len(data)
            piece.position += len(data)
            self._meter.moved(len(data))
            if piece.position - piece.noted >= _CHUNK_BYTES:
                self._note(piece)

    def _note(self, piece: _Piece) -> None:
        with self._lock:
            if piece.generation != self._generation:
                return
            try:
                self._partial.note(piece.noted, piece.position)
            except OSError as exc:
                raise DiskError(exc) from exc
            piece.noted = piece.position

    def _check(self, piece: _Piece) -> None:
        if piece.generation != self._generation:
            raise _StaleError

    def _restart(self, piece: _Piece) -> None:
        with self._lock:
            if piece.generation != self._generation:
                return
            self._generation += 1
            if self._generation > _RESTARTS:
                raise ConflictError(
                    f"{self._name} changes while it is downloaded",
                    hint="run the command again when nobody writes it",
                    component=COMPONENT,
                )
            self._pending = 0
            self._uncount()
            self._partial.discard()
        self._lanes.put([self._open])

    def _finish(self) -> None:
        wanted = self._file.digest
        if wanted is not None and self._digest_of(self._partial.path) != wanted:
            self._partial.discard()
            raise self._mismatch("")
        try:
            self._partial.finish(self._modified)
        except OSError as exc:
            raise DiskError(exc) from exc
        self._meter.file_done()

    def _digest_of(self, path: Path) -> bytes:
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while data := file.read(_CHUNK_BYTES):
                if self._lanes.stopped.is_set():
                    raise StoppedError
                digest.update(data)
                self._meter.alive()
        return digest.digest()

    def _check_room(self, size: int) -> None:
        free = shutil.disk_usage(self._file.destination.parent).free
        if size > free:
            raise UserError(
                f"{self._name} has {format_bytes(size)}, and the disk of "
                f"{self._file.destination.parent} has room for {format_bytes(free)}",
                code=Code.NO_ROOM,
                hint="make room, or name a directory on another disk with --output-dir",
                component=COMPONENT,
            )

    def _mismatch(self, detail: str) -> UserError:
        return UserError(
            f"{self._name} does not have the checksum it was published with{detail}",
            code=Code.CHECKSUM_MISMATCH,
            hint=REPLACED_HINT,
            component=COMPONENT,
        )

    def _count_found(self, count: int) -> None:
        with self._lock:
            self._counted += count
        self._meter.found(count)

    def _uncount(self) -> None:
        """Take back what was counted of this file."""
        self._meter.found(-self._counted)
        self._counted = 0
