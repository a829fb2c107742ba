"""Ceph's S3 server: one monitor, one store in memory, one gateway, all below one directory.

It shows what Swift cannot: unsigned requests, policies, requesters that pay, encrypted objects and
buckets as names of hosts. Debian has it as ``radosgw``, ``ceph-mon`` and ``ceph-osd``.
"""

from __future__ import annotations

import base64
import shutil
import socket
import subprocess
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOMAIN = "s3.test"
"""Buckets are also hosts below this one; nothing resolves it."""
KMS_KEY = "testing-key"

_PROGRAMS = ("ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
_FSID = str(UUID(int=1))
_START_SECONDS = 60.0

# Nothing is authenticated inside, which needs crc; else the gateway waits for five minutes.
# Every pool that the gateway makes is a decision of the monitor: by default one a second.
# Without tcp_nodelay every small answer waits 40 ms.
_CONF = """\
[global]
fsid = {fsid}
mon host = v1:127.0.0.1:{mon_port}
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
run dir = {directory}
admin socket =
pid file =
log file = {directory}/$name.log
paxos propose interval = 0.01
paxos min wait = 0.01
mon data = {directory}/mon
mon data avail crit = 0
mon allow pool size one = true
osd data = {directory}/osd
osd objectstore = memstore
osd crush chooseleaf type = 0
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
memstore device bytes = {store_bytes}
rgw data = {directory}/rgw
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw dns name = {domain}
rgw relaxed s3 bucket names = true
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = {kms_key}={kms_secret}
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class User:
    """An account of the server."""

    name: str
    access_key: str
    secret_key: str

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables with which S3 clients are this user."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }


OWNER = User(name="owner", access_key="OWNER", secret_key="owners-secret")
GUEST = User(name="guest", access_key="GUEST", secret_key="guests-secret")
"""An account that owns nothing; what it may do, policies of buckets say."""


def missing_programs() -> list[str]:
    """Return what has to be installed before the server can run."""
    return [name for name in _PROGRAMS if shutil.which(name) is None]


@contextmanager
def running(directory: Path, *, store_bytes: int = 4 * 2**30) -> Iterator[str]:
    """Run a server with the accounts above, and yield its endpoint.

    It holds ``store_bytes`` in memory; what is deleted takes room for two hours more.

    Raises:
        RuntimeError: it did not start; the text has its output.
    """
    for name in ("mon", "osd", "rgw"):
        (directory / name).mkdir(parents=True)
    port, mon_port = _free_ports(2)
    conf = directory / "ceph.conf"
    conf.write_text(
        _CONF.format(
            directory=directory,
            fsid=_FSID,
            port=port,
            store_bytes=store_bytes,
            mon_port=mon_port,
            domain=DOMAIN,
            kms_key=KMS_KEY,
            kms_secret=base64.b64encode(bytes(32)).decode(),
        )
    )
    monitors = str(directory / "monitors")
    address = f"[v1:127.0.0.1:{mon_port}]"
    _run("monmaptool", "--create", "--fsid", _FSID, "--addv", "a", address, monitors)
    _run("ceph-mon", "-c", str(conf), "--mkfs", "-i", "a", "--monmap", monitors)
    with ExitStack() as stack:
        _start(stack, directory, "ceph-mon", "-i", "a")
        _run("ceph-osd", "-c", str(conf), "-i", "0", "--mkfs")
        _start(stack, directory, "radosgw", "-n", "client.rgw")
        _start_store_and_wait(stack, directory, port)
        for user in (OWNER, GUEST):
            _add(user, conf)
        yield f"http://127.0.0.1:{port}"


def _add(user: User, conf: Path) -> None:
    keys = (f"--access-key={user.access_key}", f"--secret-key={user.secret_key}")
    names = (f"--uid={user.name}", f"--display-name={user.name}")
    _run("radosgw-admin", "-c", str(conf), "user", "create", *names, *keys)


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}")


def _start(
    stack: ExitStack, directory: Path, program: str, *options: str
) -> subprocess.Popen[bytes]:
    """Start a server that ends with the context, and also when this process is killed."""
    output = stack.enter_context((directory / f"{program}.out").open("wb"))
    command = ["setpriv", "--pdeathsig", "KILL", program, "-c", str(directory / "ceph.conf")]
    process = subprocess.Popen([*command, *options, "-f"], stdout=output, stderr=output)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


def _start_store_and_wait(stack: ExitStack, directory: Path, port: int) -> None:
    """Start the store, again where it came before the monitor was ready, until all is there."""
    deadline = time.monotonic() + _START_SECONDS  # noqa: TID251 - real processes, real time
    store = _start(stack, directory, "ceph-osd", "-i", "0")
    while time.monotonic() < deadline:  # noqa: TID251
        if store.poll() is not None:
            store = _start(stack, directory, "ceph-osd", "-i", "0")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    text = "\n".join(path.read_text()[-2000:] for path in sorted(directory.glob("*.out")))
    raise RuntimeError(f"the Ceph server did not start: {text}")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        taken = [stack.enter_context(socket.socket()) for _ in range(count)]
        for item in taken:
            item.bind(("127.0.0.1", 0))
        return [item.getsockname()[1] for item in taken]
