"""Names that nodes make up for themselves, some by asking the cloud that they run in."""

from __future__ import annotations

import contextlib
import random
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import UserError
from bacalhau.lib.ids import SeededIds
from bacalhau.node import name_providers
from bacalhau.node.name_providers import provide_name

if TYPE_CHECKING:
    from collections.abc import Iterator

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"
TOKEN = "token-of-the-service"


class Service:
    """A metadata service: how it answers, and what it was asked."""

    def __init__(self) -> None:
        self.address = ""
        self.gives_tokens: bool = True
        self.status = 200
        self.instance = "i-0abc"
        self.asked: list[str] = []

    def answer(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        self.asked.append(f"{method} {path}")
        if path == "/latest/api/token":
            fits = method == "PUT" and "x-aws-ec2-metadata-token-ttl-seconds" in headers
            return (200, TOKEN) if self.gives_tokens and fits else (403, "")
        if path == "/latest/meta-data/instance-id" and self.gives_tokens:
            fits = headers.get("x-aws-ec2-metadata-token") == TOKEN
            return (self.status, self.instance) if fits else (401, "")
        if path == "/computeMetadata/v1/instance/id":
            fits = headers.get("metadata-flavor") == "Google"
            return (self.status, self.instance) if fits else (403, "")
        return self.status, self.instance


@pytest.fixture
def service() -> Iterator[Service]:
    with _serving() as served:
        yield served


@contextlib.contextmanager
def _serving() -> Iterator[Service]:
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): text for name, text in self.headers.items()}
            status, body = service.answer(self.command, self.path, headers)
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_PUT(self) -> None:
            self.do_GET()

        def log_message(self, *arguments: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        service.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


def made(provider: str, address: str = "127.0.0.1:1") -> str:
    return provide_name(
        provider,
        SeededIds(random.Random(1)),
        {
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://{address}",
            "GCE_METADATA_HOST": address,
        },
    )


def test_chance() -> None:
    assert re.fullmatch(f"n-{UUID}", made("puuid"))
    assert re.fullmatch(UUID, made("UUID"))


def test_the_name_of_the_machine_without_dots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "node.example.com")
    assert made("hostname") == "node-example-com"


def test_an_instance_of_aws_with_a_token(service: Service) -> None:
    assert made("aws", service.address) == "i-0abc"
    assert service.asked == ["PUT /latest/api/token", "GET /latest/meta-data/instance-id"]


def test_an_instance_of_aws_without_tokens(service: Service) -> None:
    service.gives_tokens = False
    assert made("aws", service.address) == "i-0abc"


def test_an_instance_of_google(service: Service) -> None:
    service.instance = "8087716956832600000\n"
    assert made("gcp", service.address) == "8087716956832600000"


@pytest.mark.parametrize("provider", ["aws", "gcp"])
def test_an_error_page_is_no_name(service: Service, provider: str) -> None:
    service.status = 500
    with pytest.raises(UserError, match="it answered 500") as refused:
        made(provider, service.address)
    assert "--name" in refused.value.hint


def test_an_answer_that_is_no_name(service: Service) -> None:
    service.instance = "<html>not here</html>"
    with pytest.raises(UserError, match="cannot be the name of a node"):
        made("gcp", service.address)


@pytest.mark.parametrize("provider", ["aws", "gcp"])
def test_no_service(provider: str) -> None:
    with pytest.raises(UserError, match=r"127\.0\.0\.1:1 does not tell the name"):
        made(provider)


def test_a_service_that_never_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_providers, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UserError, match="timed out"):
            made("gcp", address)
