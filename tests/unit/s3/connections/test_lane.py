"""What lanes and pipes take for an answer, and what they leave to others."""

from __future__ import annotations

import pytest

from bacalhau.s3.connections.lane import OddAnswerError, facts_of, request

GOOD = b'HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: "e"\r\nX-Amz-Meta: a: b'


def test_headers_of_the_expected_answer_are_told() -> None:
    facts = facts_of(GOOD, 5)
    assert facts[b"etag"] == b'"e"'
    assert facts[b"x-amz-meta"] == b"a: b"


def test_a_reason_may_be_missing_and_names_may_be_written_in_any_case() -> None:
    assert facts_of(b"HTTP/1.1 200\r\ncontent-LENGTH:0", 0)
    assert facts_of(b"HTTP/1.1 200 \r\nContent-Length: 0", 0)


def test_a_range_is_taken_only_for_itself() -> None:
    head = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 5-9/20"
    assert facts_of(head, 5, "bytes 5-9/20")
    for other in ("bytes 0-4/20", "bytes 5-9/21", ""):
        with pytest.raises(OddAnswerError):
            facts_of(head, 5, other)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 2000 OK\r\nContent-Length: 5",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 5",
        b"HTTP/1.0 200 OK\r\nContent-Length: 5",
        b"HTTP/1.1 206 Partial Content\r\nContent-Length: 5\r\nContent-Range: bytes 0-4/9",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\nContent-Length: 6",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip",
        b"HTTP/1.1 200 OK\r\nContent-Length : 5",
        b"HTTP/1.1 200 OK\r\nX: a\r\n Content-Length: 5",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nno colon",
        b"SSH-2.0-server",
        b"",
    ],
)
def test_anything_else_is_odd(head: bytes) -> None:
    with pytest.raises(OddAnswerError):
        facts_of(head, 5)


def test_a_request_is_written_as_it_was_signed() -> None:
    written = request("/b/a%20b?versionId=1", {"Host": "h", "If-Match": '"e"'})
    assert written == b'GET /b/a%20b?versionId=1 HTTP/1.1\r\nHost: h\r\nIf-Match: "e"\r\n\r\n'


@pytest.mark.parametrize("text", ['"e"\r\nX: 1', '"e"\n', '"e"\r', '"\0"'])
def test_a_header_cannot_become_two(text: str) -> None:
    with pytest.raises(OddAnswerError):
        request("/", {"If-Match": text})
