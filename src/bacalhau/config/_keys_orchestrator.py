"""Keys of the orchestrator and of its network (spec config.md 3.3)."""

from __future__ import annotations

from bacalhau.config.key import MAX_PORT, Key

_CLUSTER = "Orchestrator.Cluster"
_NETWORK = "BACALHAU_NODE_NETWORK"

ORCHESTRATOR_KEYS = (
    Key("Orchestrator.Enabled", False, "Accept and schedule jobs on this node."),
    Key(
        "Orchestrator.Host",
        "0.0.0.0",  # noqa: S104 - as in v1.5; nothing listens there yet
        "Address compute nodes connect to.",
        is_pending=True,
    ),
    Key(
        "Orchestrator.Port",
        4222,
        "Port compute nodes connect to.",
        minimum=1,
        maximum=MAX_PORT,
        is_pending=True,
        node_aliases=(f"{_NETWORK}_PORT",),
    ),
    Key(
        "Orchestrator.Advertise",
        "",
        "Address that compute nodes are told, as host:port.",
        is_pending=True,
        node_aliases=(f"{_NETWORK}_ADVERTISEDADDRESS",),
    ),
    Key(
        "Orchestrator.Auth.Token",
        "",
        "What compute nodes must know to connect; empty lets all connect.",
        is_secret=True,
        is_pending=True,
    ),
    Key("Orchestrator.TLS.ServerCert", "", "Certificate for compute nodes.", is_pending=True),
    Key("Orchestrator.TLS.ServerKey", "", "Private key of that certificate.", is_pending=True),
    Key(
        "Orchestrator.TLS.ServerTimeout",
        0,
        "Seconds a TLS handshake may take; 0 is 10.",
        is_pending=True,
    ),
    Key(
        "Orchestrator.TLS.CACert",
        "",
        "Certificates the orchestrator trusts when it connects to itself.",
        is_pending=True,
    ),
    Key(
        f"{_CLUSTER}.Name",
        "",
        "Name of the cluster of orchestrators.",
        is_pending=True,
        node_aliases=(f"{_NETWORK}_CLUSTER_NAME",),
    ),
    Key(
        f"{_CLUSTER}.Host",
        "",
        "Address other orchestrators connect to.",
        is_pending=True,
        node_aliases=(f"{_NETWORK}_CLUSTER_HOST",),
    ),
    Key(
        f"{_CLUSTER}.Port",
        0,
        "Port other orchestrators connect to.",
        maximum=MAX_PORT,
        is_pending=True,
        node_aliases=(f"{_NETWORK}_CLUSTER_PORT",),
    ),
    Key(
        f"{_CLUSTER}.Advertise",
        "",
        "Address that other orchestrators are told.",
        is_pending=True,
        node_aliases=(f"{_NETWORK}_CLUSTER_ADVERTISEADDRESS",),
    ),
    Key(
        f"{_CLUSTER}.Peers",
        (),
        "The other orchestrators, such as nats://host:6222.",
        is_pending=True,
        node_aliases=(f"{_NETWORK}_CLUSTER_PEERS",),
    ),
    Key(
        "Orchestrator.NodeManager.DisconnectTimeout",
        "1m0s",
        "Silence after which a node is gone.",
        is_duration=True,
        minimum=1,
    ),
    Key(
        "Orchestrator.NodeManager.ManualApproval",
        False,
        "New nodes wait for approval.",
    ),
    Key(
        "Orchestrator.Scheduler.WorkerCount",
        0,
        "Jobs decided on at once; 0 is as many as are useful.",
    ),
    Key(
        "Orchestrator.Scheduler.QueueBackoff",
        "1m0s",
        "Kept for older configurations; a job that waits is woken when there is room for it.",
        is_duration=True,
    ),
    Key(
        "Orchestrator.Scheduler.HousekeepingInterval",
        "30s",
        "Time between two looks for jobs that were forgotten.",
        is_duration=True,
        minimum=1,
    ),
    Key(
        "Orchestrator.Scheduler.HousekeepingTimeout",
        "2m0s",
        "Time that an execution may be late before it is given up.",
        is_duration=True,
        minimum=1,
    ),
    Key(
        "Orchestrator.Scheduler.LocalityWait",
        "10s",
        "Longest time that a job waits for a busy node that has its inputs while others have room; "
        "0 takes another at once.",
        is_duration=True,
    ),
    Key(
        "Orchestrator.EvaluationBroker.VisibilityTimeout",
        "1m0s",
        "Kept for older configurations; who decides on a job cannot get lost.",
        is_duration=True,
    ),
    Key(
        "Orchestrator.EvaluationBroker.MaxRetryCount",
        10,
        "Kept for older configurations; a decision is tried until it is made.",
    ),
    Key(
        "Orchestrator.SupportReverseProxy",
        False,
        "Take plain connections from a proxy that ends TLS.",
        is_pending=True,
    ),
    Key("Orchestrator.License.LocalPath", "", "Kept for other versions; has no effect."),
)
