"""A server with fixed answers, for what the real one cannot be brought to say."""

from __future__ import annotations

import contextlib
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Stub:
    """A server: what it answers, and what it was asked as method, path, and decoded body."""

    port: int = 0
    status: int = 200
    answer: Any = None
    requests: list[tuple[str, str, Any]] = field(default_factory=list)


@contextlib.contextmanager
def stub_server() -> Iterator[Stub]:
    """Serve until the context ends."""
    stub = Stub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            stub.requests.append((self.command, self.path, json.loads(body)))
            answer = json.dumps(stub.answer).encode()
            self.send_response(stub.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        stub.port = server.server_address[1]
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="stub-server")
        thread.start()
        try:
            yield stub
        finally:
            server.shutdown()
            thread.join()
