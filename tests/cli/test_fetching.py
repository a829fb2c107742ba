"""Fetching files from servers that do not always behave (spec storage.md 8.2)."""

from __future__ import annotations

import random
import resource
import shutil
import socket
import ssl
import threading
from base64 import b64encode
from contextlib import closing, contextmanager, suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from bacalhau.client import fetch as fetching
from bacalhau.client.addresses import Link, RemoteFile
from bacalhau.client.fetch import ATTEMPTS, PIECE_BYTES, fetch
from bacalhau.client.lanes import Lanes
from bacalhau.client.meter import Meter
from bacalhau.client.stream import Stream
from bacalhau.client.web import Web
from bacalhau.errors import (
    BacalhauError,
    Code,
    ConflictError,
    NotFoundError,
    TransientError,
    UserError,
)
from bacalhau.lib.backoff import Backoff
from tests.support.certificates import self_signed
from tests.support.file_server import Files, serve_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGE = bytes(range(256)) * 4096
HUGE = random.Random(1).randbytes(3 * PIECE_BYTES + 1000)
NEVER = [0] * ATTEMPTS


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    """A file server, and a client that does not wait for long."""
    monkeypatch.setattr(fetching, "BACKOFF", Backoff(initial_seconds=0.01, maximum_seconds=0.01))
    with serve_files() as served:
        yield served


def get(url: str, destination: Path, digest: bytes | None = None, size: int | None = None) -> Meter:
    meter = Meter()
    file = RemoteFile(
        address=Link(url),
        destination=destination,
        stem=destination,
        digest=digest,
        size_bytes=size,
    )
    fetch([file], meter, lambda: None)
    return meter


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """Answer every request so, and close the connection; yield the address."""

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(10_000)
                    connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def moved(meter: Meter) -> int:
    return meter.now().moved_bytes


def ranges(files: Files) -> list[str]:
    return [wanted or "" for _, wanted in files.requests]


class TestFetch:
    def test_a_file_arrives_whole_and_progress_is_told(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = LARGE
        progress = get(files.url + "/f", tmp_path / "f").now()
        assert (tmp_path / "f").read_bytes() == LARGE
        assert (progress.done_bytes, progress.total_bytes) == (len(LARGE), len(LARGE))
        assert (progress.done_files, progress.files) == (1, 1)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["f"]

    def test_a_large_file_comes_in_parts(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = HUGE
        meter = get(files.url + "/f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == HUGE
        assert moved(meter) == len(HUGE) == files.sent_bytes
        assert len(files.requests) == 4

    def test_an_empty_file(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = b""
        get(files.url + "/f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == b""

    def test_a_server_without_ranges(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = HUGE
        files.has_ranges = False
        files.break_after["/f"] = [300_000]
        get(files.url + "/f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == HUGE
        assert len(files.requests) == 2

    def test_a_server_that_tells_neither_length_nor_version(
        self, files: Files, tmp_path: Path
    ) -> None:
        files.content["/f"] = HUGE
        files.has_ranges = files.has_length = files.has_etag = False
        assert get(files.url + "/f", tmp_path / "f").now().total_bytes == len(HUGE)
        assert (tmp_path / "f").read_bytes() == HUGE

    def test_parts_without_a_version_are_not_put_together(
        self, files: Files, tmp_path: Path
    ) -> None:
        files.content["/f"] = HUGE
        files.has_etag = False
        get(files.url + "/f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == HUGE
        assert ranges(files)[1:] == [""]

    def test_many_files(self, files: Files, tmp_path: Path) -> None:
        wanted = []
        for number in range(300):
            files.content[f"/{number}"] = f"{number}\n".encode() * number
            address = Link(f"{files.url}/{number}")
            path = tmp_path / str(number)
            wanted.append(RemoteFile(address=address, destination=path, stem=path))
        fetch(wanted, Meter(), lambda: None)
        assert {f"/{path.name}": path.read_bytes() for path in tmp_path.iterdir()} == files.content

    def test_redirects_are_followed(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = b"data"
        files.redirects["/old"] = files.url + "/f"
        get(files.url + "/old", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == b"data"

    def test_redirects_in_a_circle(self, files: Files, tmp_path: Path) -> None:
        files.redirects["/old"] = files.url + "/old"
        with pytest.raises(TransientError, match="more than 5 redirects"):
            get(files.url + "/old", tmp_path / "f")

    @pytest.mark.parametrize(
        "url", ["file:///etc/passwd", "ftp://127.0.0.1/x", "nonsense", "http://[x", "http://h:x/"]
    )
    def test_only_http(self, url: str, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="not an HTTP address"):
            get(url, tmp_path / "f")

    def test_a_redirect_away_from_http_is_not_followed(self, files: Files, tmp_path: Path) -> None:
        files.redirects["/old"] = "ftp://127.0.0.1/x"
        with pytest.raises(BacalhauError):
            get(files.url + "/old", tmp_path / "f")

    @pytest.mark.parametrize(
        ("location", "asked"),
        [("/b\xe9 c", "/b%E9%20c"), ("http://[::1/f", None), ("http://h:x/f", None)],
        ids=["bytes that are no part of a URL", "half an address", "a port that is none"],
    )
    def test_a_redirect_that_is_no_url(
        self, location: str, asked: str | None, files: Files, tmp_path: Path
    ) -> None:
        files.redirects["/old"] = location
        if asked is not None:
            files.content[asked] = b"data"
            get(files.url + "/old", tmp_path / "f")
            assert (tmp_path / "f").read_bytes() == b"data"
        else:
            with pytest.raises(UserError, match="not an HTTP address") as caught:
                get(files.url + "/old", tmp_path / "f")
            assert caught.value.hint

    def test_an_address_that_is_written_in_letters(self, files: Files, tmp_path: Path) -> None:
        files.content["/%C3%BC%20x"] = b"data"
        get(files.url + "/ü x", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == b"data"

    @pytest.mark.usefixtures("files")
    def test_a_server_that_sends_parts_which_nobody_asked_for(self, tmp_path: Path) -> None:
        answer = b"HTTP/1.1 206 P\r\nContent-Range: bytes 0-0/9\r\nContent-Length: 1\r\n\r\nx"
        with answering(answer) as url, pytest.raises(TransientError, match="a part, and not the"):
            get(url, tmp_path / "f")

    def test_what_nobody_can_go_on_with_does_not_stay(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = HUGE
        files.has_etag = files.has_ranges = False
        files.break_after["/f"] = [100, *NEVER]
        with pytest.raises(TransientError):
            get(files.url + "/f", tmp_path / "f")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.usefixtures("files")
    def test_a_stream_that_goes_on_at_another_place(self) -> None:
        answer = b"HTTP/1.1 206 P\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5\r\n\r\n12345"
        with answering(answer) as url, closing(Web()) as web:
            stream = Stream(web, Link(url), Lanes(), Meter())
            with stream, pytest.raises(TransientError, match="another part than was asked for"):
                stream.read(5)


class TestRefusals:
    @pytest.mark.parametrize(
        ("status", "kind"), [(404, NotFoundError), (410, NotFoundError), (403, UserError)]
    )
    def test_they_name_the_address_without_its_signature(
        self, status: int, kind: type[BacalhauError], files: Files, tmp_path: Path
    ) -> None:
        files.status["/f"] = status
        with pytest.raises(kind) as caught:
            get(files.url + "/f?X-Amz-Signature=secret", tmp_path / "f")
        assert f"{files.url}/f: the server answered {status}" in caught.value.message
        assert "secret" not in caught.value.message
        assert len(files.requests) == 1
        assert list(tmp_path.iterdir()) == []

    def test_no_server(self, files: Files, tmp_path: Path) -> None:
        del files  # for its short waits
        with pytest.raises(TransientError, match="Connection refused"):
            get("http://127.0.0.1:1/f", tmp_path / "f")

    def test_a_server_that_is_busy_is_asked_again(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = LARGE
        files.busy["/f"] = ATTEMPTS - 1
        get(files.url + "/f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == LARGE
        files.busy["/f"] = ATTEMPTS
        with pytest.raises(TransientError, match="broke off: the server answered 503"):
            get(files.url + "/f", tmp_path / "g")

    def test_a_disk_without_room(
        self, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files.content["/f"] = LARGE
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1_000_000))
        with pytest.raises(UserError, match=r"has 1\.0 MB, and the disk of .* has room") as caught:
            get(files.url + "/f", tmp_path / "f")
        assert caught.value.code == Code.NO_ROOM
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("has_length", [True, False])
    def test_a_disk_that_takes_no_more(
        self, has_length: bool, files: Files, tmp_path: Path
    ) -> None:
        files.content["/f"] = HUGE
        files.has_ranges = files.has_length = has_length
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
        try:
            with pytest.raises(OSError, match="File too large"):
                get(files.url + "/f", tmp_path / "f")
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        get(files.url + "/f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == HUGE


class TestIntegrity:
    def test_another_content_is_removed(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = LARGE
        with pytest.raises(UserError, match="does not have the checksum") as caught:
            get(files.url + "/f", tmp_path / "f", digest=b"0" * 32)
        assert caught.value.code == Code.CHECKSUM_MISMATCH
        assert "the publisher's Key needs {executionID}" in caught.value.hint
        assert list(tmp_path.iterdir()) == []

    def test_another_size_is_not_fetched(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = HUGE
        with pytest.raises(UserError, match=r"it has \d+ bytes, and 1000 were published"):
            get(files.url + "/f", tmp_path / "f", size=1000)
        assert list(tmp_path.iterdir()) == []


class TestResuming:
    def test_a_broken_transfer_goes_on_where_it_stopped(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = LARGE
        files.break_after["/f"] = [300_000, 200_000]
        meter = get(files.url + "/f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == LARGE
        assert [text.partition("-")[0] for text in ranges(files)] == [
            "bytes=0",
            "bytes=300000",
            "bytes=500000",
        ]
        assert moved(meter) == len(LARGE)

    def test_a_later_call_goes_on_too(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = LARGE
        files.break_after["/f"] = [300_000, *NEVER]
        with pytest.raises(TransientError, match="broke off") as caught:
            get(files.url + "/f", tmp_path / "f")
        assert "goes on where this one stopped" in caught.value.hint
        assert not (tmp_path / "f").exists()
        assert moved(get(files.url + "/f", tmp_path / "f")) == len(LARGE) - 300_000
        assert (tmp_path / "f").read_bytes() == LARGE

    def test_of_a_large_file_only_what_is_missing_is_fetched(
        self, files: Files, tmp_path: Path
    ) -> None:
        files.content["/f"] = HUGE
        files.break_after["/f"] = [1_000_000] * 4 + NEVER * 4
        with pytest.raises(TransientError, match="broke off"):
            get(files.url + "/f", tmp_path / "f")
        arrived = files.sent_bytes
        files.break_after.clear()
        meter = get(files.url + "/f?X-Amz-Signature=another", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == HUGE
        # What was sent last may not have been written before the first call ended.
        assert len(HUGE) - arrived <= moved(meter) < len(HUGE)

    def test_a_file_that_changed_is_fetched_anew(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = HUGE
        files.break_after["/f"] = [1_000_000] * 4 + NEVER * 4
        with pytest.raises(TransientError):
            get(files.url + "/f", tmp_path / "f")
        files.break_after.clear()
        files.content["/f"] = HUGE[::-1]
        progress = get(files.url + "/f", tmp_path / "f").now()
        assert (tmp_path / "f").read_bytes() == HUGE[::-1]
        assert progress.done_bytes == progress.total_bytes == len(HUGE)

    def test_a_file_that_changes_all_the_time(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = HUGE
        files.changes = True
        with pytest.raises(ConflictError, match="changes while it is downloaded"):
            get(files.url + "/f", tmp_path / "f")

    @pytest.mark.parametrize("damage", ["", "{}", "[1]\n", '{"URL": 1}\n5 x\n', "\0\n"])
    def test_a_damaged_log_means_to_begin_anew(
        self, damage: str, files: Files, tmp_path: Path
    ) -> None:
        files.content["/f"] = LARGE
        (tmp_path / "f.part").write_bytes(b"x" * len(LARGE))
        (tmp_path / "f.part.log").write_text(damage)
        get(files.url + "/f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == LARGE
        assert [path.name for path in tmp_path.iterdir()] == ["f"]

    def test_a_connection_that_falls_silent_is_made_anew(
        self, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("bacalhau.client.lanes.Web", lambda: Web(silence_seconds=0.2))
        files.content["/f"] = HUGE
        files.stalls = 2
        get(files.url + "/f", tmp_path / "f")
        assert (tmp_path / "f").read_bytes() == HUGE
        files.stalls = 100
        with pytest.raises(TransientError, match="broke off: the server fell silent"):
            get(files.url + "/f", tmp_path / "g")

    def test_what_ends_the_download_is_told_at_once(self, files: Files, tmp_path: Path) -> None:
        files.content["/f"] = HUGE
        files.stalls = 100

        def give_up() -> None:
            raise KeyboardInterrupt

        path = tmp_path / "f"
        file = RemoteFile(address=Link(files.url + "/f"), destination=path, stem=path)
        with pytest.raises(KeyboardInterrupt):
            fetch([file], Meter(), give_up)


class TestWeb:
    def test_what_proves_who_asks_is_not_handed_on(self, files: Files) -> None:
        files.content["/f"] = b"data"
        headers = {"Authorization": "secret", "X-Amz-Security-Token": "token", "Range": "bytes=0-"}
        with serve_files() as other, closing(Web()) as web:
            other.redirects["/far"] = f"{files.url}/f"
            files.redirects["/near"] = "/f"
            with web.get(f"{other.url}/far", headers) as response:
                assert response.read() == b"data"
            assert not files.headers["/f"].keys() & {"authorization", "x-amz-security-token"}
            assert files.headers["/f"]["range"] == "bytes=0-"
            with web.get(f"{files.url}/near", headers) as response:
                assert response.read() == b"data"
            assert files.headers["/f"]["authorization"] == "secret"

    def test_a_connection_that_the_server_has_closed_meanwhile(self) -> None:
        answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"

        def serve(listener: socket.socket) -> None:
            for _ in range(2):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(10_000)
                    connection.sendall(answer)

        with socket.create_server(("127.0.0.1", 0)) as listener, closing(Web()) as web:
            thread = threading.Thread(target=serve, args=(listener,))
            thread.start()
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
            for _ in range(2):
                with web.get(url) as response:
                    assert response.read() == b"x"
            thread.join()

    def test_the_proxy_of_the_environment(
        self, files: Files, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files.content["http://elsewhere.test:81/f"] = b"data"
        monkeypatch.setenv("http_proxy", files.url.replace("://", "://user:p%40ss@"))
        with closing(Web()) as web:
            with web.get("http://elsewhere.test:81/f") as response:
                assert response.read() == b"data"
            monkeypatch.setenv("no_proxy", "127.0.0.1")
            with web.get(f"{files.url}/f") as response:
                assert response.status == 404
        sent = files.headers["http://elsewhere.test:81/f"]
        assert sent["host"] == "elsewhere.test:81"
        assert sent["proxy-authorization"] == f"Basic {b64encode(b'user:p@ss').decode()}"
        assert "proxy-authorization" not in files.headers["/f"]

    def test_certificates_of_ones_own_stand_in_for_those_of_the_system(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """As with other AWS programs."""
        for name in ("known", "other"):
            (tmp_path / name).mkdir()
        known, key = self_signed(tmp_path / "known")
        other, _ = self_signed(tmp_path / "other")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(known, key)
        monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
        monkeypatch.setenv("SSL_CERT_FILE", str(known))
        with serve_files(context) as files:
            files.content["/f"] = HUGE
            get(f"{files.url}/f", tmp_path / "f")
            monkeypatch.setenv("AWS_CA_BUNDLE", str(other))
            with pytest.raises(TransientError, match="CERTIFICATE_VERIFY_FAILED"):
                get(f"{files.url}/f", tmp_path / "g")

    def test_tls_with_certificates_of_ones_own(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate, key = self_signed(tmp_path)
        context.load_cert_chain(certificate, key)
        with serve_files(context) as files:
            files.content["/f"] = HUGE
            with pytest.raises(TransientError, match="CERTIFICATE_VERIFY_FAILED") as caught:
                get(f"{files.url}/f", tmp_path / "f")
            assert "AWS_CA_BUNDLE=FILE" in caught.value.hint
            monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
            get(f"{files.url}/f", tmp_path / "f")
            assert (tmp_path / "f").read_bytes() == HUGE
            monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "missing.pem"))
            with pytest.raises(UserError, match=r"AWS_CA_BUNDLE cannot be read: .*missing\.pem"):
                get(f"{files.url}/f", tmp_path / "g")
