"""Flags of nodes from before there were configuration keys: hidden, and still understood.

Those of which nothing remains are accepted and say so (spec cli.md 8.4, 8.10; config.md 4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.cli.flag import Flag, advice
from bacalhau.cli.values import BOOL, DURATION, INT, STRING, STRING_MAP, STRINGS, each, plain_text

if TYPE_CHECKING:
    from bacalhau.cli.values import Kind

_ADMISSION = "JobAdmissionControl"
_CAPACITY = "Compute.AllocatedCapacity"
_CLUSTER = "Orchestrator.Cluster"
_LOCAL = "Publishers.Types.Local"
_MANIFESTS = "Engines.Types.Docker.ManifestCache"
_SOURCE_IPFS = "InputSources.Types.IPFS.Endpoint"
_PUBLISHER_IPFS = "Publishers.Types.IPFS.Endpoint"
_DOWNLOADER_IPFS = "ResultDownloaders.Types.IPFS.Endpoint"
_ROLES = {
    "requester": "Orchestrator.Enabled",
    "orchestrator": "Orchestrator.Enabled",
    "compute": "Compute.Enabled",
}
_Rows = tuple[tuple[str, "Kind", tuple[str, ...]], ...]

_STACK_ROWS: _Rows = (
    ("job-selection-reject-stateless", BOOL, (f"{_ADMISSION}.RejectStatelessJobs",)),
    ("job-selection-accept-networked", BOOL, (f"{_ADMISSION}.AcceptNetworkedJobs",)),
    ("job-selection-probe-http", STRING, (f"{_ADMISSION}.ProbeHTTP",)),
    ("job-selection-probe-exec", STRING, (f"{_ADMISSION}.ProbeExec",)),
    ("job-selection-data-locality", STRING, ()),
    ("disable-engine", STRINGS, ("Engines.Disabled",)),
    ("disabled-publisher", STRINGS, ("Publishers.Disabled",)),
    ("disable-storage", STRINGS, ("InputSources.Disabled",)),
    ("limit-total-cpu", STRING, (f"{_CAPACITY}.CPU",)),
    ("limit-total-memory", STRING, (f"{_CAPACITY}.Memory",)),
    ("limit-total-gpu", STRING, (f"{_CAPACITY}.GPU",)),
    ("limit-job-cpu", STRING, ()),
    ("limit-job-memory", STRING, ()),
    ("limit-job-disk", STRING, ()),
    ("limit-job-gpu", STRING, ()),
    ("ignore-physical-resource-limits", STRING, ()),
    ("requester-job-translation-enabled", BOOL, ()),
    ("docker-manifest-cache-size", INT, (f"{_MANIFESTS}.Size",)),
    ("docker-manifest-cache-duration", plain_text(DURATION), (f"{_MANIFESTS}.TTL",)),
    ("docker-manifest-cache-frequency", plain_text(DURATION), (f"{_MANIFESTS}.Refresh",)),
)
_IPFS_ROWS: _Rows = (
    ("ipfs-connect", STRING, (_SOURCE_IPFS, _PUBLISHER_IPFS, _DOWNLOADER_IPFS)),
    ("ipfs-connect-storage", STRING, (_SOURCE_IPFS,)),
    ("ipfs-connect-publisher", STRING, (_PUBLISHER_IPFS,)),
    ("ipfs-connect-downloader", STRING, (_DOWNLOADER_IPFS,)),
)
_SERVE_ROWS: _Rows = (
    ("host", STRING, ("API.Host",)),
    ("port", INT, ("API.Port",)),
    ("autocert", STRING, ("API.TLS.AutoCert",)),
    ("tlscert", STRING, ("API.TLS.CertFile",)),
    ("tlskey", STRING, ("API.TLS.KeyFile",)),
    ("self-signed", BOOL, ("API.TLS.SelfSigned",)),
    ("requester", BOOL, ("Orchestrator.Enabled",)),
    ("network-host", STRING, ("Orchestrator.Host",)),
    ("network-port", INT, ("Orchestrator.Port",)),
    ("orchestrators", STRINGS, ("Compute.Orchestrators",)),
    ("advertised-address", STRING, ("Orchestrator.Advertise",)),
    ("cluster-name", STRING, (f"{_CLUSTER}.Name",)),
    ("cluster-host", STRING, (f"{_CLUSTER}.Host",)),
    ("cluster-port", INT, (f"{_CLUSTER}.Port",)),
    ("cluster-advertised-address", STRING, (f"{_CLUSTER}.Advertise",)),
    ("cluster-peers", STRINGS, (f"{_CLUSTER}.Peers",)),
    ("network-store-dir", STRING, ()),
    (
        "default-publisher",
        STRING,
        ("JobDefaults.Batch.Task.Publisher.Type", "JobDefaults.Ops.Task.Publisher.Type"),
    ),
    ("labels", STRING_MAP, ("Labels",)),
    ("allow-listed-local-paths", STRINGS, ("Compute.AllowListedLocalPaths",)),
    ("local-publisher-address", STRING, (f"{_LOCAL}.Address",)),
    ("local-publisher-port", INT, (f"{_LOCAL}.Port",)),
    ("local-publisher-directory", STRING, ()),
    ("web-ui", BOOL, ("WebUI.Enabled",)),
    ("webui", BOOL, ("WebUI.Enabled",)),
    ("web-ui-listen", STRING, ("WebUI.Listen",)),
    ("name-provider", STRING, ("NameProvider",)),
    ("compute-execution-store-type", STRING, ()),
    ("compute-execution-store-path", STRING, ()),
    ("requester-job-store-type", STRING, ()),
    ("requester-job-store-path", STRING, ()),
    ("node-info-store-ttl", STRING, ()),
    ("job-negotiation-timeout", STRING, ()),
    ("min-job-execution-timeout", STRING, ()),
    ("max-job-execution-timeout", STRING, ()),
    ("default-job-execution-timeout", STRING, ()),
    ("job-execution-timeout-bypass-client-id", STRING, ()),
)


def _network(text: str) -> str:
    if text.lower() != "nats":
        raise ValueError(f'unknown network "{text}": nodes speak NATS, and nothing else')
    return text


def _role_keys(text: str) -> list[str]:
    """Return the keys that switch on what is listed, such as ``requester,compute``."""
    words = [word.strip() for word in text.split(",")]
    for word in words:
        if word.lower() not in _ROLES:
            raise ValueError(
                f"invalid node type {word}. Only compute and requester values are supported"
            )
    return [_ROLES[word.lower()] for word in words]


def _flags(rows: _Rows) -> tuple[Flag, ...]:
    return tuple(
        Flag(name, kind, None, "An old flag.", keys=keys, deprecated=advice(*keys))
        for name, kind, keys in rows
    )


OLD_STACK_FLAGS = _flags(_STACK_ROWS)
"""Those that ``devstack`` has too."""

OLD_IPFS_FLAGS = _flags(_IPFS_ROWS)
"""Those that clients have too."""

OLD_SERVE_FLAGS = (
    *OLD_STACK_FLAGS,
    *OLD_IPFS_FLAGS,
    *_flags(_SERVE_ROWS),
    Flag("network", each("string", _network), None, "An old flag.", keys=(), deprecated=advice()),
    Flag(
        "node-type",
        each("string", _role_keys),
        [],
        "An old flag.",
        deprecated="Use --orchestrator and --compute to set this configuration",
    ),
)

GONE_SERVE_FLAGS = {
    "peer": "name the orchestrators with --config Compute.Orchestrators=nats://HOST:4222",
    "private-internal-ipfs": "connect to an IPFS node with --config "
    "InputSources.Types.IPFS.Endpoint=<address>; none is started any more",
    "public-ipfs": "connect to an IPFS node with --config "
    "InputSources.Types.IPFS.Endpoint=<address>; none is started any more",
    "ipfs-swarm-addr": "the IPFS node that is connected to has its own configuration",
    "ipfs-swarm-addrs": "the IPFS node that is connected to has its own configuration",
}
"""Flags of versions before 1.5, and what there is instead."""
