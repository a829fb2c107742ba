"""What is told to AWS alone when results are stored: no server here understands or refuses it.

A stand-in answers, reached as the proxy of the environment.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

import pytest

from bacalhau.lib import outbound
from bacalhau.lib.clock import SystemClock
from bacalhau.s3.requests.client import Bucket, S3Client
from bacalhau.s3.requests.responses import ServiceError
from bacalhau.s3.results.upload import SINGLE_BYTES, upload
from bacalhau.s3.server.endpoints import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.s3

BEGUN = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
DONE = "<CompleteMultipartUploadResult/>"
FAILED = "<Error><Code>InternalError</Code><Message>try again</Message></Error>"


class Request(NamedTuple):
    """What the stand-in was asked."""

    line: str
    headers: Mapping[str, str]
    body: bytes


@contextlib.contextmanager
def answering(judge: Callable[[Request], tuple[int, str]]) -> Iterator[str]:
    """Run a server that answers with a status and a body, and yield its address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): text for name, text in self.headers.items()}
            status, answer = judge(Request(f"{self.command} {self.path}", headers, body))
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.send_header("ETag", '"e"')
            self.end_headers()
            self.wfile.write(answer.encode())

        def do_POST(self) -> None:
            self.do_PUT()

        def do_DELETE(self) -> None:
            self.do_PUT()

        def log_message(self, *arguments: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), name="stand-in")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


async def stored(
    content: bytes,
    judge: Callable[[Request], tuple[int, str]],
    environment: pytest.MonkeyPatch,
    tmp_path: Path,
    endpoint: str = "http://s3.eu-west-1.amazonaws.com",
) -> None:
    (tmp_path / "file").write_bytes(content)
    with answering(judge) as proxy:
        environment.setenv("http_proxy", proxy)
        environment.delenv("no_proxy", raising=False)
        outbound._proxy_of.cache_clear()
        try:
            bucket = Bucket(location=locate("b", endpoint, "", "us-east-1"))
            async with S3Client.open(SystemClock(), connections=4) as client:
                await upload(client, bucket, "k", tmp_path / "file")
        finally:
            outbound._proxy_of.cache_clear()


def checksum(data: bytes) -> str:
    return base64.b64encode(hashlib.sha256(data).digest()).decode()


async def test_checksum_goes_along(s3_environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    requests: list[Request] = []

    def judge(request: Request) -> tuple[int, str]:
        requests.append(request)
        return 200, ""

    for content in (b"content", b""):
        await stored(content, judge, s3_environment, tmp_path)
        assert requests[-1].headers["x-amz-checksum-sha256"] == checksum(content)
        assert "x-amz-checksum-sha256" in requests[-1].headers["authorization"]
        assert requests[-1].body == content


async def test_other_servers_get_none(s3_environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    requests: list[Request] = []

    def judge(request: Request) -> tuple[int, str]:
        requests.append(request)
        return 200, BEGUN if request.line.endswith("?uploads=") else DONE

    for content in (b"content", bytes(SINGLE_BYTES + 1)):
        await stored(content, judge, s3_environment, tmp_path, "http://s3.example.com")
    assert len(requests) == 5
    for request in requests:
        assert not [name for name in request.headers if name.startswith("x-amz-checksum")]
    assert b"Checksum" not in requests[-1].body


async def test_parts_and_their_checksums(
    s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = hashlib.shake_128(b"parts").digest(2 * SINGLE_BYTES + 5)
    parts = [
        content[start : start + SINGLE_BYTES] for start in range(0, len(content), SINGLE_BYTES)
    ]
    begins: list[Request] = []
    joined: list[Request] = []

    def judge(request: Request) -> tuple[int, str]:
        if request.line.endswith("?uploads="):
            begins.append(request)
            return 200, BEGUN
        if "partNumber=" in request.line:
            assert request.headers["x-amz-checksum-sha256"] == checksum(request.body)
            return 200, ""
        joined.append(request)
        return 200, FAILED if len(joined) == 1 else DONE

    await stored(content, judge, s3_environment, tmp_path)
    (begin,) = begins
    assert begin.headers["x-amz-checksum-algorithm"] == "SHA256"
    assert len(joined) == 2, "an error in an answer that began well is asked about again"
    document = ElementTree.fromstring(joined[-1].body)
    found = [(part.findtext("PartNumber"), part.findtext("ChecksumSHA256")) for part in document]
    assert found == [(str(number), checksum(part)) for number, part in enumerate(parts, start=1)]


async def test_part_that_is_refused_for_a_moment_is_sent_again(
    s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = hashlib.shake_128(b"again").digest(SINGLE_BYTES + 5)
    arrived: dict[str, bytes] = {}
    refused: set[str] = set()

    def judge(request: Request) -> tuple[int, str]:
        if request.line.endswith("?uploads="):
            return 200, BEGUN
        if "partNumber=" not in request.line:
            return 200, DONE
        if request.line not in refused:
            refused.add(request.line)
            return 503, ""
        arrived[request.line] = request.body
        return 200, ""

    await stored(content, judge, s3_environment, tmp_path)
    assert b"".join(arrived[line] for line in sorted(arrived)) == content


async def test_parts_that_cannot_be_joined_are_given_up(
    s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines: list[str] = []

    def judge(request: Request) -> tuple[int, str]:
        lines.append(request.line.partition(" ")[0])
        is_first, is_join = len(lines) == 1, request.line.startswith("POST ")
        if is_join and not is_first:
            return 400, "<Error><Code>InvalidPart</Code></Error>"
        return 200, BEGUN if is_first else ""

    with pytest.raises(ServiceError) as caught:
        await stored(bytes(SINGLE_BYTES + 1), judge, s3_environment, tmp_path)
    assert (caught.value.code, caught.value.key) == ("InvalidPart", "k")
    assert lines == ["POST", "PUT", "PUT", "POST", "DELETE"]


async def test_file_that_shrinks_meanwhile_is_not_stored(
    s3_environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines: list[str] = []

    def judge(request: Request) -> tuple[int, str]:
        lines.append(request.line.partition(" ")[0])
        if len(lines) == 1:
            os.truncate(tmp_path / "file", 100)
        return 200, BEGUN

    with pytest.raises(OSError, match="it became shorter while it was read"):
        await stored(bytes(SINGLE_BYTES + 1), judge, s3_environment, tmp_path)
    assert lines == ["POST", "DELETE"]
