"""A file server that can be told to misbehave."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Files:
    """What a server serves, and how.

    Attributes:
        content: Bytes by path.
        break_after: Paths whose next answers end after so many bytes of the body, in order.
        redirects: Paths that lead to other addresses.
        status: Paths that are refused with this status.
        requests: Method, path and Range header of every request, in order.
    """

    url: str = ""
    content: dict[str, bytes] = field(default_factory=dict)
    break_after: dict[str, list[int]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, str | None]] = field(default_factory=list)


@contextlib.contextmanager
def serve_files() -> Iterator[Files]:
    """Serve files on a port of the loopback, with ETags and ranges."""
    files = Files()

    class Handler(_Handler):
        served = files

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        files.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="file-server")
        thread.start()
        try:
            yield files
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    served: Files

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.served.requests.append((path, self.headers.get("Range")))
        if path in self.served.redirects:
            self.send_response(302)
            self.send_header("Location", self.served.redirects[path])
            self.end_headers()
        elif path in self.served.status or path not in self.served.content:
            self.send_error(self.served.status.get(path, 404))
        else:
            self._send(path, self.served.content[path])

    def _send(self, path: str, content: bytes) -> None:
        etag = f'"{hashlib.sha256(content).hexdigest()}"'
        wanted = self.headers.get("Range", "")
        is_part = bool(wanted) and self.headers.get("If-Range") in (None, etag)
        first, _, last = wanted.removeprefix("bytes=").partition("-") if is_part else ("", "", "")
        start, end = int(first or 0), int(last) + 1 if last else len(content)
        body = content[start:end]
        self.send_response(206 if is_part else 200)
        if is_part:
            self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(content)}")
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        breaks = self.served.break_after.get(path)
        self.wfile.write(body[: breaks.pop(0)] if breaks else body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""
