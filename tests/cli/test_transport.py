"""The connection to the server: kept alive, opened anew, and its failures told."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from websockets.sync.server import ServerConnection, serve

from bacalhau.client import Client
from bacalhau.client.logs import stream_logs
from bacalhau.errors import BacalhauError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ANSWER = b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"Status":"OK"}'


@contextlib.contextmanager
def one_by_one(*handlers: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve one connection for each handler; yields the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            for handle in handlers:
                connection, _ = listener.accept()
                with connection:
                    handle(connection)

        thread = threading.Thread(target=run, name="one-by-one")
        thread.start()
        yield listener.getsockname()[1]
        thread.join(timeout=10)
        assert not thread.is_alive(), "every connection was used"


def read_request(connection: socket.socket) -> bytes:
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    return data


def answer_once(connection: socket.socket) -> None:
    read_request(connection)
    connection.sendall(ANSWER)


def answer_twice(connection: socket.socket) -> None:
    answer_once(connection)
    answer_once(connection)


def test_calls_share_a_connection() -> None:
    with one_by_one(answer_twice) as port, Client(port=port) as client:
        assert [client.alive(), client.alive()] == ["OK", "OK"]


def test_a_connection_that_the_server_closed_is_opened_anew() -> None:
    closed = threading.Event()

    def answer_and_close(connection: socket.socket) -> None:
        answer_once(connection)
        connection.close()
        closed.set()

    with one_by_one(answer_and_close, answer_once) as port, Client(port=port) as client:
        assert client.alive() == "OK"
        assert closed.wait(timeout=10)
        assert client.alive() == "OK"


def test_requests_tell_which_client_asks() -> None:
    seen = []

    def handle(connection: socket.socket) -> None:
        seen.append(read_request(connection).decode().lower())
        connection.sendall(ANSWER)

    with (
        one_by_one(handle) as port,
        Client(port=port, headers={"X-Bacalhau-Git-Version": "v1.5.2"}) as client,
    ):
        client.alive()
    assert seen[0].startswith("get /api/v1/agent/alive http/1.1\r\n")
    assert "x-bacalhau-git-version: v1.5.2\r\n" in seen[0]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"", "network error: Remote end closed connection"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "network error: BadStatusLine: SSH-2.0"),
        (ANSWER[:-4], "network error: IncompleteRead"),
    ],
)
def test_servers_that_speak_something_else(answer: bytes, message: str) -> None:
    def handle(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(answer)

    with one_by_one(handle) as port, Client(port=port) as client:
        with pytest.raises(TransientError) as caught:
            client.alive()
        assert message in caught.value.message


def test_a_server_that_does_not_answer_in_time() -> None:
    done = threading.Event()

    def handle(connection: socket.socket) -> None:
        read_request(connection)
        assert done.wait(timeout=10)

    with one_by_one(handle) as port, Client(port=port, timeout_seconds=0.1) as client:
        with pytest.raises(TransientError, match="request timed out") as caught:
            client.alive()
        done.set()
    assert caught.value.code == "TimeOut"


@contextlib.contextmanager
def log_server(handle: Callable[[ServerConnection], None]) -> Iterator[str]:
    """Serve WebSockets on the loopback; yields the address."""
    with serve(handle, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever, name="log-server")
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def read_logs(url: str) -> list[tuple[int, str]]:
    lines = stream_logs(url, "/logs", headers={}, timeout_seconds=10)
    return [(line.type, line.line) for line in lines]


def test_log_lines_arrive_as_they_are() -> None:
    def handle(connection: ServerConnection) -> None:
        connection.send('{"value":{"Type":1,"Line":"no newline"}}')
        connection.send('{"value":{"Type":2,"Line":"two\\nlines\\n"}}')

    with log_server(handle) as url:
        assert read_logs(url) == [(1, "no newline"), (2, "two\nlines\n")]


def test_an_error_frame_is_raised() -> None:
    def handle(connection: ServerConnection) -> None:
        connection.send('{"error":"no executions","value":{"Type":0,"Line":""}}')

    with (
        log_server(handle) as url,
        pytest.raises(BacalhauError, match="error received from server: no executions"),
    ):
        read_logs(url)


def test_a_stream_that_breaks_off_is_an_error() -> None:
    def handle(connection: ServerConnection) -> None:
        connection.send('{"value":{"Type":1,"Line":"x"}}')
        connection.socket.shutdown(socket.SHUT_RDWR)

    with log_server(handle) as url, pytest.raises(TransientError, match="broke off"):
        read_logs(url)


def test_a_stream_that_the_server_closes_because_it_stops() -> None:
    def handle(connection: ServerConnection) -> None:
        connection.close(1012)

    with log_server(handle) as url, pytest.raises(TransientError) as caught:
        read_logs(url)
    assert caught.value.message == (
        "the log stream broke off: the server stops, or is started again"
    )
    assert "again" in caught.value.hint


def test_a_server_that_streams_no_logs() -> None:
    with (
        one_by_one(answer_once) as port,
        pytest.raises(BacalhauError, match="the server answered 200"),
    ):
        read_logs(f"http://127.0.0.1:{port}")


def test_no_server_for_logs() -> None:
    with pytest.raises(TransientError, match="server is not running"):
        read_logs("http://127.0.0.1:1")
