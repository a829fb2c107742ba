"""A Docker daemon, small images, and a registry for tests.

A daemon that runs already is used. Else a private one is started, which needs root, the program
``dockerd`` and nothing else: it has no bridge and touches no firewall, and all its files are in a
temporary directory. Import the fixtures into a ``conftest.py``::

    from tests.support.docker import docker_daemon, docker_registry  # noqa: F401
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import io
import json
import os
import shutil
import socket
import subprocess
import tarfile
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote, urlencode

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

IMAGE = "bacalhau-test/busybox:1"
"""busybox, with ``sh`` as command and nothing else set."""

ODD_IMAGE = "bacalhau-test/odd:1"
"""The same with an entry point, a variable, a working directory, and another user."""

_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_USER = "reader"
_PASSWORD = "tell-nobody"
# bcrypt of the password, which is all that the registry takes.
_PASSWORD_HASH = "$2b$04$gZy6nwLweot/CRChDNdXJ.unrfMPt6CLKIVx5VRfOlpbmIJh82fpa"
_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_PLAIN = ("--bridge=none", "--iptables=false", "--ip6tables=false")
_ATTEMPTS: tuple[tuple[str, ...], ...] = (_PLAIN, (*_PLAIN, "--storage-driver=vfs"))


@dataclass(eq=False)
class DockerDaemon:
    """A daemon that answers; ``host`` is the value for ``DOCKER_HOST``."""

    host: str

    def request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        **parameters: str,
    ) -> tuple[int, bytes]:
        """Make one request of its API and return status and body."""
        kind = "application/x-tar" if path.startswith("/images") else "application/json"
        sent = {**({"Content-Type": kind} if body else {}), **(headers or {})}
        target = f"{path}?{urlencode(parameters)}" if parameters else path
        with contextlib.closing(_UnixConnection(self.host.removeprefix("unix://"))) as connection:
            connection.request(method, target, body, sent)
            response = connection.getresponse()
            return response.status, response.read()

    def json(self, method: str, path: str, **parameters: str) -> Any:
        """Make a request and read its answer, or fail the test."""
        status, body = self.request(method, path, None, None, **parameters)
        assert status < 300, body
        return json.loads(body)

    def containers(self, label: str) -> list[dict[str, Any]]:
        """List containers with a label, stopped ones included."""
        filters = json.dumps({"label": [label]})
        found: list[dict[str, Any]] = self.json("GET", "/containers/json", all="1", filters=filters)
        return found

    def networks(self, label: str) -> list[dict[str, Any]]:
        """List networks with a label."""
        found: list[dict[str, Any]] = self.json(
            "GET", "/networks", filters=json.dumps({"label": [label]})
        )
        return found

    @contextlib.contextmanager
    def watch_starts(self, label: str) -> Iterator[list[dict[str, str]]]:
        """Collect the labels of each container with a label that is started within the block."""
        started: list[dict[str, str]] = []
        filters = json.dumps({"type": ["container"], "event": ["start"], "label": [label]})
        with contextlib.closing(_UnixConnection(self.host.removeprefix("unix://"))) as connection:
            connection.request("GET", f"/events?{urlencode({'filters': filters})}")
            stream = connection.getresponse()
            # Until the other end closes: shutting the socket down ends the thread.
            reader = threading.Thread(target=_collect, args=(stream, started))
            reader.start()
            try:
                yield started
            finally:
                connection.sock.shutdown(socket.SHUT_RDWR)
                reader.join()

    def import_image(self, name: str, *changes: str) -> None:
        """Make an image from busybox; ``changes`` are lines of a Dockerfile."""
        repository, _, tag = name.rpartition(":")
        parameters = [("fromSrc", "-"), ("repo", repository), ("tag", tag)]
        parameters += [("changes", change) for change in changes]
        status, body = self.request("POST", f"/images/create?{urlencode(parameters)}", busybox())
        assert status == 200, body
        assert b'"error"' not in body, body

    def remove_image(self, name: str) -> None:
        """Remove an image if it is there."""
        self.request("DELETE", f"/images/{quote(name, safe='')}", force="1")


def _collect(stream: http.client.HTTPResponse, started: list[dict[str, str]]) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        while line := stream.readline():
            started.append(json.loads(line)["Actor"]["Attributes"])


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=60)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self._path)


def busybox() -> bytes:
    """Return a root file system with busybox, as a tar archive."""
    program = shutil.which("busybox", path=_SYSTEM_PATH)
    if program is None:
        unavailable("busybox is missing: install the package busybox-static")
    names = subprocess.run([program, "--list"], capture_output=True, check=True).stdout.split()
    files = {"etc/passwd": b"root:x:0:0::/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n"}
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for folder in ("bin", "etc", "tmp"):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(entry)
        for name, content in ({"bin/busybox": Path(program).read_bytes()} | files).items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
        for applet in names:
            entry = tarfile.TarInfo(f"bin/{applet.decode()}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            if entry.name != "bin/busybox":
                tar.addfile(entry)
    return archive.getvalue()


def unavailable(reason: str) -> NoReturn:
    """Skip the test where a server is missing; on CI that is a failure."""
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(reason)
    pytest.skip(reason)


def _existing() -> DockerDaemon | None:
    host = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    daemon = DockerDaemon(host)
    try:
        status, _ = daemon.request("GET", "/_ping") if host.startswith("unix://") else (0, b"")
    except OSError:
        return None
    return daemon if status == 200 else None


@dataclass(eq=False)
class PrivateDaemon(DockerDaemon):
    """A daemon of our own, which tests may restart."""

    command: list[str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> bool:
        """Start it; False when it does not come up, or cannot run a container."""
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdout=output,
                stderr=output,
                env={**os.environ, "PATH": _SYSTEM_PATH, "DOCKER_HOST": self.host},
            )
        end = time.monotonic() + _START_SECONDS  # noqa: TID251 - outside the program
        while self.process.poll() is None and time.monotonic() < end:  # noqa: TID251
            with contextlib.suppress(OSError):
                if self.request("GET", "/_ping")[0] == 200:
                    return _can_run(self)
            time.sleep(0.05)
        return False

    def remove_networks(self) -> None:
        """Remove what killed nodes left: the machine would keep the bridges of networks."""
        label = "bacalhau-executor"
        with contextlib.suppress(OSError):  # It may be stopped already.
            for network in self.networks(label):
                for container in self.containers(label):
                    self.request("DELETE", f"/containers/{container['Id']}", force="1")
                self.request("DELETE", f"/networks/{network['Id']}")

    def stop(self) -> None:
        """Stop it, and with it its containers."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(_STOP_SECONDS)


@contextlib.contextmanager
def private_daemon(*options: str) -> Iterator[PrivateDaemon]:
    """Start a daemon of our own, and remove all it leaves.

    Skips the test when the machine cannot run one.
    """
    program = shutil.which("dockerd", path=_SYSTEM_PATH)
    if program is None:
        unavailable("dockerd is missing: install the package docker.io")
    if os.geteuid() != 0:
        unavailable("no Docker daemon answers, and only root can start one")
    directory = Path(tempfile.mkdtemp(prefix="docker-"))
    try:
        daemon = _first_that_starts(program, directory, options)
        try:
            yield daemon
        finally:
            daemon.remove_networks()
            daemon.stop()
    finally:
        _unmount(directory)
        shutil.rmtree(directory)


def _first_that_starts(program: str, directory: Path, options: tuple[str, ...]) -> PrivateDaemon:
    log = directory / "log"
    for number, attempt in enumerate(_ATTEMPTS):
        place = directory / str(number)
        place.mkdir()
        host = f"unix://{place}/socket"
        command = [
            program,
            f"--data-root={place}/data",
            f"--exec-root={place}/exec",
            f"--pidfile={place}/pid",
            f"--host={host}",
            *attempt,
            *options,
        ]
        daemon = PrivateDaemon(host, command, log)
        if daemon.start():
            return daemon
        daemon.stop()
    unavailable(f"dockerd does not start here:\n{log.read_text()[-2000:]}")


def _can_run(daemon: DockerDaemon) -> bool:
    """Try it: a storage driver may start and then fail to mount."""
    daemon.import_image(IMAGE, 'CMD ["sh"]')
    body = {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
    status, answer = daemon.request("POST", "/containers/create", json.dumps(body).encode())
    if status != 201:
        return False
    container = json.loads(answer)["Id"]
    status, _ = daemon.request("POST", f"/containers/{container}/start")
    daemon.request("DELETE", f"/containers/{container}", force="1")
    return status == 204


def _unmount(directory: Path) -> None:
    lines = Path("/proc/self/mounts").read_text().splitlines()
    for line in reversed(lines):
        target = line.split()[1]
        if target.startswith(f"{directory}/"):
            subprocess.run(["umount", "-l", target], check=True)


@pytest.fixture(scope="session")
def docker_daemon() -> Iterator[DockerDaemon]:
    """A daemon with the test images; ``DOCKER_HOST`` names it while the fixture lives."""
    with contextlib.ExitStack() as stack:
        daemon = _existing() or stack.enter_context(private_daemon())
        daemon.import_image(IMAGE, 'CMD ["sh"]')
        daemon.import_image(
            ODD_IMAGE,
            'ENTRYPOINT ["echo", "entry"]',
            'CMD ["command"]',
            "ENV COLOUR=blue",
            "WORKDIR /tmp",
            "USER 1000",
        )
        before = os.environ.get("DOCKER_HOST")
        os.environ["DOCKER_HOST"] = daemon.host
        stack.callback(_restore, before)
        yield daemon


def _restore(host: str | None) -> None:
    if host is None:
        del os.environ["DOCKER_HOST"]
    else:
        os.environ["DOCKER_HOST"] = host


@pytest.fixture(scope="session")
def docker_registry(docker_daemon: DockerDaemon) -> Iterator[str]:
    """The address of an empty registry on loopback, such as ``127.0.0.1:40123``."""
    with _registry() as address:
        yield address


@dataclass(frozen=True)
class PrivateRegistry:
    """A registry that knows one user."""

    address: str
    user: str
    password: str


@pytest.fixture
def private_registry(docker_daemon: DockerDaemon, tmp_path: Path) -> Iterator[PrivateRegistry]:
    """An empty registry that answers nobody else."""
    users = tmp_path / "htpasswd"
    users.write_text(f"{_USER}:{_PASSWORD_HASH}\n")
    with _registry(f"auth: {{htpasswd: {{realm: test, path: {users}}}}}\n") as address:
        yield PrivateRegistry(address, _USER, _PASSWORD)


@contextlib.contextmanager
def _registry(*lines: str) -> Iterator[str]:
    program = shutil.which("docker-registry", path=_SYSTEM_PATH)
    if program is None:
        unavailable("docker-registry is missing: install the package docker-registry")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with tempfile.TemporaryDirectory(prefix="registry-") as directory:
        config = Path(directory) / "config.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: error}}\nhttp: {{addr: {address}}}\n"
            f"storage: {{filesystem: {{rootdirectory: {directory}/data}}}}\n" + "".join(lines)
        )
        with subprocess.Popen(
            [program, "serve", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            try:
                _wait_for_port(address)
                yield address
            finally:
                process.terminate()


def publish_foreign_image(
    registry: str, repository: str, tag: str, platform: str, content: bytes = b""
) -> None:
    """Put an image into a registry that says it is for some platform.

    It has one layer, with ``content`` in one file, or nothing.
    """
    system, architecture = platform.split("/")
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        if content:
            entry = tarfile.TarInfo("content")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    layer = archive.getvalue()
    config = json.dumps(
        {
            "architecture": architecture,
            "os": system,
            "config": {},
            "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
        }
    ).encode()
    described = [
        {"mediaType": kind, "size": len(blob), "digest": _digest(blob)}
        for kind, blob in (
            ("application/vnd.docker.container.image.v1+json", config),
            ("application/vnd.docker.image.rootfs.diff.tar", layer),
        )
    ]
    kind = "application/vnd.docker.distribution.manifest.v2+json"
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": described[0],
        "layers": described[1:],
    }
    with contextlib.closing(http.client.HTTPConnection(registry, timeout=10)) as connection:
        for blob in (config, layer):
            _upload(connection, repository, blob)
        body = json.dumps(manifest).encode()
        target = f"/v2/{repository}/manifests/{tag}"
        connection.request("PUT", target, body, {"Content-Type": kind})
        response = connection.getresponse()
        assert response.status == 201, response.read()


def _upload(connection: http.client.HTTPConnection, repository: str, blob: bytes) -> None:
    connection.request("POST", f"/v2/{repository}/blobs/uploads/")
    response = connection.getresponse()
    location = response.headers["Location"]
    response.read()
    separator = "&" if "?" in location else "?"
    target = f"{location}{separator}digest={quote(_digest(blob))}"
    connection.request("PUT", target, blob, {"Content-Type": "application/octet-stream"})
    response = connection.getresponse()
    assert response.status == 201, response.read()
    response.read()


def _digest(blob: bytes) -> str:
    return f"sha256:{hashlib.sha256(blob).hexdigest()}"


def _wait_for_port(address: str) -> None:
    host, _, port = address.rpartition(":")
    end = time.monotonic() + _START_SECONDS  # noqa: TID251 - outside the program
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            assert time.monotonic() < end, f"no registry at {address}"  # noqa: TID251
            time.sleep(0.05)
        else:
            return
