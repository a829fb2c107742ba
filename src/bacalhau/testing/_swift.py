"""OpenStack Swift with its S3 interface, in one ordinary process (spec storage.md 5).

Account, container, object and proxy servers run as green threads of one process, on loopback, with
one device and one replica below one directory. Nothing outside that directory is read or written.

Swift reads its settings when it is imported, so everything of it is imported inside functions.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

USER = "test:tester"
SECRET = "testing"  # noqa: S105 - the well-known credentials of a test server
REGION = "us-east-1"

_DEVICE = "d1"
# Swift gives up on a disk that is slow for half a second and leaves listings behind the objects.
# There is only this one, however busy the machine is, so it is waited for.
_PATIENCE_SECONDS = 60
_STORAGE_SERVERS = ("account", "container", "object")

_SWIFT_CONF = """\
[swift-hash]
swift_hash_path_prefix = bacalhau
swift_hash_path_suffix = bacalhau

[storage-policy:0]
name = one-copy
default = yes
"""

_STORAGE_CONF = """\
[DEFAULT]
swift_dir = {directory}
devices = {directory}/devices
mount_check = false
disable_fallocate = true
log_level = ERROR

[pipeline:main]
pipeline = {kind}-server

[app:{kind}-server]
use = egg:swift#{kind}
conn_timeout = {patience}
node_timeout = {patience}
container_update_timeout = {patience}
"""

# The order matters: with another one, multipart objects read back as 0 bytes.
_PROXY_CONF = """\
[DEFAULT]
swift_dir = {directory}
log_level = ERROR

[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck proxy-logging cache listing_formats bulk s3api \
tempauth copy slo dlo versioned_writes symlink proxy-logging proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
conn_timeout = {patience}
node_timeout = {patience}
recoverable_node_timeout = {patience}
client_timeout = {patience}
error_suppression_limit = 1000000

[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:cache]
paste.filter_factory = bacalhau.testing._swift:memory_cache
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:bulk]
use = egg:swift#bulk
[filter:s3api]
use = egg:swift#s3api
location = {region}
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = {secret} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
[filter:versioned_writes]
use = egg:swift#versioned_writes
allow_object_versioning = true
[filter:symlink]
use = egg:swift#symlink
"""

_INTERNAL_CLIENT_CONF = """\
[DEFAULT]
swift_dir = {directory}

[pipeline:main]
pipeline = catch_errors proxy-server

[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true

[filter:catch_errors]
use = egg:swift#catch_errors
"""


def serve(directory: Path, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve S3 on loopback until the process ends.

    ``on_ready`` gets the endpoint once connections are accepted; port 0 takes a free one.
    """
    warnings.simplefilter("ignore")  # eventlet tells every user that it is in maintenance mode
    import eventlet

    eventlet.monkey_patch()
    _write_configuration(directory)
    from swift.common import utils

    utils.set_swift_dir(str(directory))
    sockets = {kind: eventlet.listen(("127.0.0.1", 0)) for kind in _STORAGE_SERVERS}
    for kind, socket in sockets.items():
        _write_ring(directory, kind, socket.getsockname()[1])
    for kind, socket in sockets.items():
        eventlet.spawn(_serve_app, directory, kind, socket)
    front = eventlet.listen(("127.0.0.1", port))
    server = eventlet.spawn(_serve_app, directory, "proxy", front)
    on_ready(f"http://127.0.0.1:{front.getsockname()[1]}")
    server.wait()


def _write_configuration(directory: Path) -> None:
    (directory / "devices" / _DEVICE).mkdir(parents=True, exist_ok=True)
    values = {
        "directory": directory,
        "region": REGION,
        "secret": SECRET,
        "patience": _PATIENCE_SECONDS,
    }
    (directory / "swift.conf").write_text(_SWIFT_CONF)
    (directory / "internal-client.conf").write_text(_INTERNAL_CLIENT_CONF.format(**values))
    (directory / "proxy.conf").write_text(_PROXY_CONF.format(**values))
    for kind in _STORAGE_SERVERS:
        (directory / f"{kind}.conf").write_text(_STORAGE_CONF.format(kind=kind, **values))


def _write_ring(directory: Path, kind: str, port: int) -> None:
    from swift.common.ring import RingBuilder

    builder = RingBuilder(6, 1, 0)
    builder.add_dev(
        {"region": 1, "zone": 1, "weight": 1.0, "ip": "127.0.0.1", "port": port, "device": _DEVICE}
    )
    builder.rebalance()
    builder.get_ring().save(str(directory / f"{kind}.ring.gz"))


def _serve_app(directory: Path, kind: str, socket: Any) -> None:
    import eventlet.wsgi
    from swift.common.http_protocol import SwiftHttpProtocol
    from swift.common.utils import NullLogger
    from swift.common.wsgi import loadapp

    app = loadapp(str(directory / f"{kind}.conf"), global_conf={"log_name": kind})
    eventlet.wsgi.server(
        socket,
        app,
        NullLogger(),
        protocol=SwiftHttpProtocol,
        # S3 clients look for "ETag", not for the "Etag" that eventlet would make of it.
        capitalize_response_headers=False,
        max_size=1024,
    )


class _MemoryCache:
    """What Swift asks of memcached, for one process: facts about accounts and containers."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def get(self, key: str, **_: Any) -> Any:
        return self._values.get(key)

    def set(self, key: str, value: Any, **_: Any) -> None:
        self._values[key] = value

    def incr(self, key: str, delta: int = 1, **_: Any) -> int:
        self._values[key] = int(self._values.get(key, 0)) + delta
        return int(self._values[key])

    def delete(self, key: str, **_: Any) -> None:
        self._values.pop(key, None)


def memory_cache(_: dict[str, str], **__: str) -> Callable[[Any], Any]:
    """Make the filter that stands in for memcached, in the form that Swift's loader expects."""
    cache = _MemoryCache()

    def wrap(app: Any) -> Any:
        def call(environment: dict[str, Any], start_response: Any) -> Any:
            environment["swift.cache"] = cache
            return app(environment, start_response)

        return call

    return wrap
