"""A file server that can be told to misbehave."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


@dataclass
class Files:
    """What a server serves, and how.

    Attributes:
        content: Bytes by path.
        break_after: Paths whose next answers end after so many bytes of the body, in order.
        redirects: Paths that lead to other addresses.
        status: Paths that are refused with this status.
        has_ranges, has_length, has_etag: What the server knows about.
        changes: Every answer is of another version.
        stalls: So many bodies never come.
        expired: Paths of which one answer is 403, after so many others.
        headers: The headers of the last request for a path.
        busy: Paths whose next requests are answered with 503, so many times.
        sent_bytes: What has been sent of bodies.
        requests: Path and Range header of every request, in order.
    """

    url: str = ""
    content: dict[str, bytes] = field(default_factory=dict)
    break_after: dict[str, list[int]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    expired: dict[str, int] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)
    has_ranges: bool = True
    has_length: bool = True
    has_etag: bool = True
    changes: bool = False
    stalls: int = 0
    sent_bytes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    resumed: threading.Event = field(default_factory=threading.Event)
    requests: list[tuple[str, str | None]] = field(default_factory=list)


@contextlib.contextmanager
def serve_files(tls: ssl.SSLContext | None = None) -> Iterator[Files]:
    """Serve files on a port of the loopback, with ETags and ranges."""
    files = Files()

    class Handler(_Handler):
        served = files

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        files.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="file-server")
        thread.start()
        try:
            yield files
        finally:
            files.resumed.set()
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Files

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.served.requests.append((path, self.headers.get("Range")))
        self.served.headers[path] = {name.lower(): text for name, text in self.headers.items()}
        if path in self.served.redirects:
            self.send_response(302)
            self.send_header("Location", self.served.redirects[path])
            self.end_headers()
        elif self.served.busy.get(path, 0):
            self.served.busy[path] -= 1
            self.send_error(503)
        elif self._has_expired(path):
            self.send_error(403)
        elif path in self.served.status or path not in self.served.content:
            self.send_error(self.served.status.get(path, 404))
        else:
            self._send(path, self.served.content[path])

    def _has_expired(self, path: str) -> bool:
        with self.served.lock:
            if path not in self.served.expired:
                return False
            self.served.expired[path] -= 1
            is_now = self.served.expired[path] < 0
            if is_now:
                del self.served.expired[path]
            return is_now

    def _send(self, path: str, content: bytes) -> None:
        served = self.served
        version = len(served.requests) if served.changes else hashlib.sha256(content).hexdigest()
        etag = f'"{version}"'
        wanted = self.headers.get("Range", "") if served.has_ranges else ""
        is_part = bool(wanted) and self.headers.get("If-Range") in (None, etag)
        first, _, last = wanted.removeprefix("bytes=").partition("-") if is_part else ("", "", "")
        start, end = int(first or 0), min(int(last) + 1 if last else len(content), len(content))
        if is_part and start >= len(content):
            self.send_error(416)
            return
        body = content[start:end]
        self.send_response(206 if is_part else 200)
        if is_part:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        if served.has_etag:
            self.send_header("ETag", etag)
        if served.has_length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with served.lock:
            is_stalled = served.stalls > 0
            served.stalls -= is_stalled
        if is_stalled:
            served.resumed.wait(60)
            return
        breaks = self.served.break_after.get(path)
        sent = body[: breaks.pop(0)] if breaks else body
        with contextlib.suppress(ConnectionError):  # whoever asked has gone
            self.wfile.write(sent)
        with served.lock:
            served.sent_bytes += len(sent)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""
