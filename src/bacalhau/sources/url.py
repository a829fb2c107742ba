"""Input from the web: one file behind an HTTP or HTTPS URL (spec storage.md 6.2)."""

from __future__ import annotations

import hashlib
import os
import random
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import aiohttp

from bacalhau.errors import BacalhauError, Code, ConflictError, TransientError, ValidationError
from bacalhau.lib.outbound import guarded_session
from bacalhau.lib.readable import readable
from bacalhau.lib.threads import run_to_end
from bacalhau.lib.tree import Tree, write_at
from bacalhau.lib.urls import shown
from bacalhau.models.decode import decode_params, ignored_params
from bacalhau.models.params import ParamsModel
from bacalhau.ports import WHOLE, Fetched, InputPlan, PlannedObject
from bacalhau.sources._rules import (
    binds_file,
    disk,
    mounts_read_only,
    read_deadline,
    volume,
)
from bacalhau.sources._web import COMPONENT, Web, refusal, unreachable, url_problem

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence
    from concurrent.futures import Executor
    from pathlib import Path

    from bacalhau.models import InputSource, SpecConfig
    from bacalhau.ports import Ids, Partition, PluginContext
    from bacalhau.ports.plugin import Progress
    from bacalhau.sources._web import Answer

_CONNECTIONS = 16
_WRITE_BYTES = 1024 * 1024
# Servers that do not answer HEAD, or not as they answer GET, are asked for the first byte instead.
_HEAD_REFUSED = frozenset({403, 405, 501})


class UrlParams(ParamsModel, frozen=True, kw_only=True):
    """``url`` begins with http:// or https:// and has a path."""

    url: str = ""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What is known of a file; ``size_bytes`` None when the server does not tell."""

    name: str
    size_bytes: int | None
    etag: str


class _HashedFile:
    """An open file that grows; ``digest`` is the SHA-256 of what is in it. All methods block."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def append(self, data: bytearray) -> None:
        write_at(self._descriptor, data, self.size_bytes)
        self._hash.update(data)
        self.size_bytes += len(data)

    def clear(self) -> None:
        os.ftruncate(self._descriptor, 0)
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def digest(self) -> bytes:
        return self._hash.digest()


class UrlSource:
    """Downloads files."""

    def __init__(
        self, web: Web, ids: Ids, executor: Executor, read_seconds: float, *, read_only: bool
    ) -> None:
        self._web = web
        self._ids = ids
        self._executor = executor
        self._read_seconds = read_seconds
        self._read_only = read_only

    @classmethod
    def check(cls, spec: SpecConfig) -> Sequence[str]:
        """Judge parameters; see ``ports.Plugin``."""
        problem = url_problem(_url(spec))
        if problem:
            raise ValidationError(
                f"invalid url storage params: {problem}", component=COMPONENT, fields=["Params.URL"]
            )
        return ignored_params("source", UrlParams, spec)

    @classmethod
    @asynccontextmanager
    async def open(cls, context: PluginContext) -> AsyncIterator[UrlSource]:
        """Make a live instance; see ``ports.Plugin``."""
        settings = context.settings
        seconds = settings.seconds("InputSources.ReadTimeout")
        attempts = settings.integer("InputSources.MaxRetryCount") + 1
        with ThreadPoolExecutor(2, thread_name_prefix="url") as executor:
            async with guarded_session(
                connections=_CONNECTIONS, silence_seconds=seconds
            ) as session:
                web = Web(session, random.Random(), attempts)  # noqa: S311
                read_only = mounts_read_only(settings)
                yield cls(web, context.ids, executor, seconds, read_only=read_only)

    async def is_available(self) -> bool:
        """Every node can try."""
        return True

    async def plan(self, source: InputSource, partition: Partition = WHOLE) -> InputPlan:
        """Ask for the name and the size; see ``ports.Source``."""
        del partition  # a single file is whole
        url = _url(source.source)
        async with read_deadline(self._read_seconds, shown(url), COMPONENT):
            facts = await self._facts(url)
        name = facts.name or self._ids.uuid()
        place = shown(url)
        item = PlannedObject(
            key=place, path=name, size_bytes=facts.size_bytes or 0, etag=facts.etag
        )
        unknown = f"{place}: the server does not tell the size"
        return InputPlan(
            objects=(item,),
            warnings=(unknown,) if facts.size_bytes is None else (),
            is_file=binds_file(source.target, name),
            origin=place,
        )

    async def fetch(
        self, source: InputSource, plan: InputPlan, directory: Path, progress: Progress
    ) -> Fetched:
        """Download the file; see ``ports.Source``."""
        (item,) = plan.objects
        part = f".part-{self._ids.uuid()}"
        with disk(directory, item.size_bytes, COMPONENT), closing(Tree(directory)) as tree:
            descriptor = tree.create(part)
            try:
                file = _HashedFile(descriptor)
                await self._download(_url(source.source), item, file, progress)
                tree.place(part, item.path)
            finally:
                os.close(descriptor)
                tree.discard(part)
        progress(0, 1)
        return Fetched(
            volume=volume(source, plan, directory, read_only=self._read_only),
            digests={item.path: file.digest()},
        )

    async def _facts(self, url: str) -> _Facts:
        attempt = 0
        while True:
            try:
                return await self._facts_once(url)
            except (aiohttp.ClientError, TimeoutError) as exc:
                error = unreachable(url, exc)
            except TransientError as exc:
                error = exc
            attempt += 1
            if attempt >= self._web.attempts:
                raise error
            await self._web.pause(attempt - 1)

    async def _facts_once(self, url: str) -> _Facts:
        async with self._web.request("HEAD", url) as answer:
            status, size = answer.response.status, answer.response.content_length
            if status == 200 and size is not None:
                return _facts(answer, size)
            if status != 200 and status not in _HEAD_REFUSED:
                raise _size_refusal(status, url)
        async with self._web.request("GET", url, {"Range": "bytes=0-0"}) as answer:
            status = answer.response.status
            if status == 200:
                return _facts(answer, answer.response.content_length)
            if status not in (206, 416):
                raise _size_refusal(status, url)
            total = answer.response.headers.get("Content-Range", "").rpartition("/")[2]
            return _facts(answer, int(total) if total.isascii() and total.isdigit() else None)

    async def _download(
        self, url: str, item: PlannedObject, file: _HashedFile, progress: Progress
    ) -> None:
        waiting = bytearray()
        async with aclosing(self._chunks(url, item)) as chunks:
            async for start, chunk in chunks:
                if start != file.size_bytes + len(waiting):  # the server began again
                    waiting = bytearray()
                    file.clear()
                waiting += chunk
                progress(len(chunk), 0)
                if len(waiting) >= _WRITE_BYTES:
                    await run_to_end(self._executor, partial(file.append, waiting))
                    waiting = bytearray()
        await run_to_end(self._executor, partial(file.append, waiting))

    async def _chunks(self, url: str, item: PlannedObject) -> AsyncGenerator[tuple[int, bytes]]:
        """Yield positions and bytes; a broken download goes on, or begins again at position 0."""
        position, etag, failures = 0, item.etag, 0
        while True:
            begun_at = position
            try:
                async with self._web.request("GET", url, _resume(position, etag)) as answer:
                    response = answer.response
                    if response.status not in (200, 206):
                        raise _fetch_refusal(response, item)
                    if response.status == 200:
                        position, etag = 0, _strong_etag(answer)
                    async for chunk in response.content.iter_any():
                        yield position, chunk
                        position += len(chunk)
                        _check_size(item, position, is_complete=False)
                _check_size(item, position, is_complete=True)
                return
            except (aiohttp.ClientError, TimeoutError) as exc:
                error = unreachable(url, exc)
            except TransientError as exc:
                error = exc
            failures = 1 if position - begun_at >= _WRITE_BYTES else failures + 1
            if failures >= self._web.attempts:
                raise error
            await self._web.pause(failures - 1)


def _url(spec: SpecConfig) -> str:
    return decode_params(UrlParams, spec).url.strip(" \t\r\n'\"")


def _facts(answer: Answer, size_bytes: int | None) -> _Facts:
    return _Facts(answer.file_name, size_bytes, _strong_etag(answer))


def _strong_etag(answer: Answer) -> str:
    etag = readable(answer.response.headers.get("ETag", ""))
    return etag if etag.startswith('"') else ""


def _resume(position: int, etag: str) -> dict[str, str]:
    """Return the headers that ask for the rest of the same version, where that can be told."""
    return {"Range": f"bytes={position}-", "If-Range": etag} if position and etag else {}


def _check_size(item: PlannedObject, received: int, *, is_complete: bool) -> None:
    """Raise when the file is not as long as planned; a planned size of 0 may mean unknown."""
    is_wrong = received != item.size_bytes if is_complete else received > item.size_bytes
    if item.size_bytes and is_wrong:
        raise ConflictError(
            f"{shown(item.key)} changed: expected {item.size_bytes} bytes, got {received}",
            code=Code.PRECONDITION_FAILED,
            component=COMPONENT,
            hint="run it again when nobody writes the file",
            retryable=True,
        )


def _size_refusal(status: int, url: str) -> BacalhauError:
    return refusal(
        status,
        f"received non-OK response code {status} while fetching size of file download: "
        + shown(url),
    )


def _fetch_refusal(response: aiohttp.ClientResponse, item: PlannedObject) -> BacalhauError:
    reason = f"{response.status} {readable(response.reason or '')}".rstrip()
    return refusal(response.status, f"non-200 response from URL ({shown(item.key)}): {reason}")
