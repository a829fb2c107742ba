"""Files from the web: names, sizes, redirects, and servers that misbehave."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bacalhau.errors import (
    BacalhauError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    TransientError,
    UserError,
)
from bacalhau.sources.url import UrlSource
from tests.support.fault_proxy import Fault, fault_proxy
from tests.support.inputs import contents, node_with

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bacalhau.config.keys import Value

Handler = Callable[[web.Request], web.StreamResponse]

BIG = hashlib.shake_128(b"web").digest(3 * 1024 * 1024 + 7)


@dataclass
class Site:
    """A web server whose answer to everything can be set."""

    base: str = ""
    requests: list[str] = field(default_factory=list)
    handle: Handler = lambda _: web.Response(body=b"hello\n")

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.raw_path}")
        return self.handle(request)


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", site.answer)
    async with TestServer(app) as server:
        site.base = str(server.make_url("")).rstrip("/")
        yield site


def redirecting(location: str, final: Handler | None = None) -> Handler:
    """Redirect from ``/start`` and answer everything else with ``final``."""

    def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/start":
            return web.Response(status=302, headers={"Location": location})
        return final(request) if final else web.Response(body=b"hello\n")

    return handle


def moved(location: bytes) -> bytes:
    return (
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\nLocation: "
        + location
        + b"\r\n\r\n"
    )


def with_disposition(value: str) -> Handler:
    return lambda _: web.Response(body=b"hello\n", headers={"Content-Disposition": value})


@pytest.mark.parametrize(
    ("path", "handle", "name"),
    [
        ("/a/data.csv", None, "data.csv"),
        ("/a/data.csv?x=/y", None, "data.csv"),
        ("/a%20b%2Bc", None, "a b+c"),
        ("/a b.txt", None, "a b.txt"),
        ("/x", with_disposition('attachment; filename="other.txt"'), "x"),
        ("/start", redirecting("/moved/final.txt"), "final.txt"),
        ("/start", redirecting("moved?x"), "moved"),
        ("/start", redirecting("/m", with_disposition('attachment; filename="n.txt"')), "n.txt"),
        (
            "/start",
            redirecting("/m", with_disposition("attachment; filename*=UTF-8''%c3%bc.txt")),
            "ü.txt",
        ),
        (
            "/start",
            redirecting("/m", with_disposition('attachment; filename="../../evil"')),
            "evil",
        ),
        ("/start", redirecting("/m", with_disposition('attachment; filename=".."')), "m"),
        ("/a%2F..%2Fb", None, "b"),
    ],
)
async def test_name(
    path: str, handle: Handler | None, name: str, site: Site, tmp_path: Path
) -> None:
    site.handle = handle or site.handle
    async with node_with(UrlSource, tmp_path) as node:
        fetched = await node.fetch({"URL": site.base + path})
    assert fetched.seen == {name: b"hello\n"}


@pytest.mark.parametrize("path", ["/", "/a/", "/%2e%2e", "/" + "n" * 256, "/a%00b"])
async def test_url_without_a_usable_name_gets_one(path: str, site: Site, tmp_path: Path) -> None:
    async with node_with(UrlSource, tmp_path) as node:
        fetched = await node.fetch({"URL": site.base + path})
    ((name, content),) = fetched.seen.items()
    assert uuid.UUID(name)
    assert content == b"hello\n"


@pytest.mark.parametrize(
    ("target", "is_file"), [("/in", False), ("/in/data.csv", True), ("/in/data.csv/", False)]
)
async def test_target(target: str, is_file: bool, site: Site, tmp_path: Path) -> None:
    async with node_with(UrlSource, tmp_path) as node:
        fetched = await node.fetch({"URL": f"{site.base}/data.csv"}, target)
    assert fetched.plan.is_file is is_file
    assert list(fetched.seen) == ["" if is_file else "data.csv"]
    assert fetched.volume.target == target


def ranged(request: web.Request) -> web.StreamResponse:
    """Answer the way servers do that know ranges but refuse HEAD."""
    if request.method == "HEAD":
        return web.Response(status=405)
    wanted = request.http_range
    body = BIG[wanted]
    first = wanted.start or 0
    is_part = "Range" in request.headers
    return web.Response(
        status=206 if is_part else 200,
        body=body,
        headers={"Content-Range": f"bytes {first}-{first + len(body) - 1}/{len(BIG)}"},
    )


def without_length(request: web.Request) -> web.StreamResponse:
    response = web.Response(body=b"hello\n", headers={"Content-Encoding": "identity"})
    response.enable_chunked_encoding()
    return response


@pytest.mark.parametrize(
    ("handle", "size", "content"),
    [
        (lambda _: web.Response(body=BIG), len(BIG), BIG),
        (lambda _: web.Response(body=b""), 0, b""),
        (ranged, len(BIG), BIG),
        (without_length, 0, b"hello\n"),
    ],
    ids=["HEAD", "empty", "HEAD refused", "no length"],
)
async def test_size(handle: Handler, size: int, content: bytes, site: Site, tmp_path: Path) -> None:
    site.handle = handle
    async with node_with(UrlSource, tmp_path) as node:
        fetched = await node.fetch({"URL": f"{site.base}/f"})
    assert fetched.seen == {"f": content}
    assert fetched.plan.size_bytes == size
    assert fetched.reported == (len(content), 1)
    has_warning = any("does not tell the size" in text for text in fetched.plan.warnings)
    assert has_warning is (handle is without_length)


async def test_compressed_files_stay_compressed(site: Site, tmp_path: Path) -> None:
    site.handle = lambda _: web.Response(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    async with node_with(UrlSource, tmp_path) as node:
        fetched = await node.fetch({"URL": f"{site.base}/f.gz"})
    assert fetched.seen == {"f.gz": b"\x1f\x8b"}


@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [
        (401, ForbiddenError, 1),
        (404, NotFoundError, 1),
        (410, NotFoundError, 1),
        (418, UserError, 1),
        (500, TransientError, 3),
        (503, TransientError, 3),
        (429, TransientError, 3),
    ],
)
async def test_status_is_told_and_only_repeated_where_it_may_change(
    status: int, kind: type[BacalhauError], requests: int, site: Site, tmp_path: Path
) -> None:
    site.handle = lambda _: web.Response(status=status)
    async with node_with(UrlSource, tmp_path, {"InputSources.MaxRetryCount": 2}) as node:
        with pytest.raises(kind) as caught:
            await node.plan({"URL": f"{site.base}/f?secret=s"})
    assert caught.value.message == (
        f"received non-OK response code {status} while fetching size of file download: "
        f"{site.base}/f"
    )
    assert len(site.requests) == requests


async def test_a_plan_is_recorded_so_it_holds_no_secret(site: Site, tmp_path: Path) -> None:
    place = site.base.removeprefix("http://")
    async with node_with(UrlSource, tmp_path) as node:
        fetched = await node.fetch({"URL": f"http://bob:pass@{place}/f?token=secret"})
    assert (fetched.plan.origin, fetched.plan.objects[0].key) == (f"{site.base}/f",) * 2
    assert fetched.seen == {"f": b"hello\n"}
    assert site.requests == ["HEAD /f?token=secret", "GET /f?token=secret"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/9.9 ?\r\n\r\n", "the answer is broken: Bad status line: Invalid HTTP version"),
        (moved(b"http://[::1/f"), "redirects to what is no URL: Invalid IPv6 URL"),
    ],
)
async def test_broken_answer_is_told_without_secrets(
    answer: bytes, message: str, tmp_path: Path
) -> None:
    async with fault_proxy("") as proxy, node_with(UrlSource, tmp_path) as node:
        proxy.judge = lambda _: Fault(instead=answer)
        with pytest.raises(BacalhauError) as caught:
            await node.plan({"URL": f"{proxy.endpoint}/f?token=secret"})
    assert message in caught.value.message
    assert "secret" not in caught.value.message


async def test_headers_that_are_no_text(tmp_path: Path) -> None:
    """Names and ETags are recorded, and so sent as JSON, which such bytes have no form in."""
    named = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n"
        b'ETag: "\xff"\r\nContent-Disposition: attachment; filename="a\xffb"\r\n\r\n'
    )
    async with fault_proxy("") as proxy, node_with(UrlSource, tmp_path) as node:
        proxy.judge = lambda head: Fault(instead=moved(b"/\xff") if "/f " in head else named)
        plan = await node.plan({"URL": f"{proxy.endpoint}/f"})
        assert proxy.requests[1].startswith("HEAD /%FF ")
    (planned,) = plan.objects
    assert (planned.path, planned.etag) == (r"a\xffb", r'"\xff"')


async def test_status_of_the_download_itself(site: Site, tmp_path: Path) -> None:
    def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=200 if request.method == "HEAD" else 404, body=b"hello\n")

    site.handle = handle
    async with node_with(UrlSource, tmp_path) as node:
        with pytest.raises(NotFoundError) as caught:
            await node.fetch({"URL": f"{site.base}/f"})
    assert caught.value.message == f"non-200 response from URL ({site.base}/f): 404 Not Found"
    assert contents(node.directory) == {}


async def test_server_that_recovers(site: Site, tmp_path: Path) -> None:
    def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503 if len(site.requests) % 2 else 200, body=b"hello\n")

    site.handle = handle
    async with node_with(UrlSource, tmp_path) as node:
        fetched = await node.fetch({"URL": f"{site.base}/f"})
    assert fetched.seen == {"f": b"hello\n"}
    assert len(site.requests) == 4


@pytest.mark.parametrize(
    ("location", "kind", "message"),
    [
        ("/start", UserError, "redirects more than 10 times"),
        ("ftp://h/x", UserError, "URLs must begin with 'http' or 'https'"),
        ("file:///etc/passwd", UserError, "URLs must begin with 'http' or 'https'"),
        ("http://169.254.169.254/latest", ForbiddenError, "an address that jobs may not reach"),
        ("http://[fe80::1]/", ForbiddenError, "an address that jobs may not reach"),
        ("http://[::ffff:a9fe:a9fe]/", ForbiddenError, "an address that jobs may not reach"),
    ],
)
async def test_redirect_that_is_refused(
    location: str, kind: type[BacalhauError], message: str, site: Site, tmp_path: Path
) -> None:
    site.handle = redirecting(location)
    async with node_with(UrlSource, tmp_path) as node:
        with pytest.raises(kind) as caught:
            await node.plan({"URL": f"{site.base}/start"})
    assert message in caught.value.message
    assert caught.value.hint
    assert len(site.requests) <= 11


async def test_address_that_hands_out_credentials(tmp_path: Path) -> None:
    async with node_with(UrlSource, tmp_path) as node:
        with pytest.raises(ForbiddenError, match=r"169\.254\.169\.254"):
            await node.plan({"URL": "http://169.254.169.254/latest/meta-data"})


@pytest.mark.parametrize("etag", ['"v1"', 'W/"v1"', ""], ids=["etag", "weak etag", "no etag"])
async def test_broken_download_goes_on_or_begins_again(
    etag: str, site: Site, tmp_path: Path
) -> None:
    """Without a strong ETag nobody knows that the rest is of the same version."""
    headers = {"ETag": etag} if etag else {}

    def handle(request: web.Request) -> web.StreamResponse:
        if request.headers.get("If-Range") == etag:
            wanted = request.http_range
            return web.Response(status=206, body=BIG[wanted], headers=headers)
        return web.Response(body=BIG, headers=headers)

    site.handle = handle
    async with fault_proxy(site.base) as proxy, node_with(UrlSource, tmp_path) as node:
        downloads: list[str] = []

        def judge(head: str) -> Fault | None:
            if not head.startswith("GET"):
                return None
            downloads.append(head)
            return Fault(after_bytes=2_000_000) if len(downloads) == 1 else None

        proxy.judge = judge
        fetched = await node.fetch({"URL": f"{proxy.endpoint}/f"})
    assert fetched.seen == {"f": BIG}
    assert fetched.digests == {"f": hashlib.sha256(BIG).digest()}
    assert ("Range: bytes=" in downloads[1]) is (etag == '"v1"')


async def test_download_that_always_breaks(site: Site, tmp_path: Path) -> None:
    site.handle = lambda _: web.Response(body=BIG)
    async with fault_proxy(site.base) as proxy, node_with(UrlSource, tmp_path) as node:
        proxy.judge = lambda head: Fault(after_bytes=300) if head.startswith("GET") else None
        with pytest.raises(TransientError, match=r"/f cannot be fetched"):
            await node.fetch({"URL": f"{proxy.endpoint}/f"})
    assert contents(node.directory) == {}


@pytest.mark.parametrize("grown", [b"hello, longer\n", b"short"])
async def test_file_that_changed_its_size(grown: bytes, site: Site, tmp_path: Path) -> None:
    params: dict[str, Any] = {"URL": f"{site.base}/f"}
    async with node_with(UrlSource, tmp_path) as node:
        plan = await node.plan(params)
        site.handle = lambda _: web.Response(body=grown)
        with pytest.raises(ConflictError, match="changed: expected 6 bytes, got") as caught:
            await node.fetch_planned(params, plan)
    assert caught.value.retryable
    assert contents(node.directory) == {}


async def test_server_that_hangs_is_given_up(site: Site, tmp_path: Path) -> None:
    settings: dict[str, Value] = {
        "InputSources.ReadTimeout": "200ms",
        "InputSources.MaxRetryCount": 0,
    }
    async with (
        fault_proxy(site.base) as proxy,
        node_with(UrlSource, tmp_path, settings) as node,
    ):
        proxy.judge = lambda _: Fault(stalls=True)
        with pytest.raises(TransientError) as caught:
            await node.plan({"URL": f"{proxy.endpoint}/f"})
    assert f"{proxy.endpoint}/f" in caught.value.message
