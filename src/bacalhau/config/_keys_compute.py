"""Keys of compute nodes: capacity, engines, data, admission (spec config.md 3.4, 3.6, 3.8)."""

from __future__ import annotations

from bacalhau.config.key import MAX_PORT, Key, amount_between, one_of, share_of, web_address
from bacalhau.lib.units import parse_bytes, parse_cpu, parse_gpu

_CAPACITY = "Compute.AllocatedCapacity"
_LIMITS = "BACALHAU_NODE_COMPUTE_CAPACITY_TOTALRESOURCELIMITS"
_CACHE = "Engines.Types.Docker.ManifestCache"
_CACHE_VARIABLE = "BACALHAU_DOCKER_MANIFEST_CACHE"
_ADMISSION = "JobAdmissionControl"
_SELECTION = "BACALHAU_NODE_COMPUTE_JOBSELECTION"
_MANAGED = "Publishers.Types.S3Managed"
_IPFS = ("BACALHAU_NODE_IPFS_CONNECT",)

COMPUTE_KEYS = (
    Key("Compute.Enabled", False, "Run jobs on this node."),
    Key(
        "Compute.Orchestrators",
        ("nats://127.0.0.1:4222",),
        "Orchestrators to work for.",
        is_pending=True,
        node_aliases=("BACALHAU_NODE_NETWORK_ORCHESTRATORS",),
    ),
    Key(
        "Compute.Auth.Token",
        "",
        "What the orchestrator wants to know before it lets this node connect.",
        is_secret=True,
        is_pending=True,
    ),
    Key(
        "Compute.Heartbeat.InfoUpdateInterval",
        "1m0s",
        "Time between two accounts of labels, engines and capacity.",
        is_duration=True,
        minimum=1,
        is_pending=True,
    ),
    Key(
        "Compute.Heartbeat.ResourceUpdateInterval",
        "30s",
        "Kept for older configurations; every sign of life tells what is free.",
        is_duration=True,
    ),
    Key(
        "Compute.Heartbeat.Interval",
        "15s",
        "Time between signs of life.",
        is_duration=True,
        minimum=1,
    ),
    Key(
        f"{_CAPACITY}.CPU",
        "70%",
        "CPU offered to jobs: cores or a percentage.",
        check=share_of(parse_cpu),
        node_aliases=(f"{_LIMITS}_CPU",),
    ),
    Key(
        f"{_CAPACITY}.Memory",
        "70%",
        "Memory offered to jobs.",
        check=share_of(parse_bytes),
        node_aliases=(f"{_LIMITS}_MEMORY",),
    ),
    Key(f"{_CAPACITY}.Disk", "70%", "Disk space offered to jobs.", check=share_of(parse_bytes)),
    Key(
        f"{_CAPACITY}.GPU",
        "100%",
        "GPUs offered to jobs.",
        check=share_of(parse_gpu),
        node_aliases=(f"{_LIMITS}_GPU",),
    ),
    Key(
        "Compute.AllowListedLocalPaths",
        (),
        "Folders of this node that jobs may use, as patterns with :ro or :rw.",
        node_aliases=("BACALHAU_NODE_ALLOWLISTEDLOCALPATHS",),
    ),
    Key(
        "Compute.AllowListedS3Endpoints",
        (),
        "S3 servers, besides AWS, that jobs may have asked with the node's own credentials.",
    ),
    Key("Compute.TLS.CACert", "", "Certificates the node trusts.", is_pending=True),
    Key("Compute.TLS.RequireTLS", False, "Connect to orchestrators with TLS.", is_pending=True),
    Key("Compute.Env.AllowList", (), "Variables of the node that jobs may use.", is_pending=True),
    Key(
        "Compute.Network.AdvertisedAddress",
        "",
        "Address under which ports of jobs are reached; empty is found out.",
        is_pending=True,
    ),
    Key(
        "Compute.Network.PortRangeStart",
        20_000,
        "First port for jobs.",
        maximum=MAX_PORT,
        is_pending=True,
    ),
    Key(
        "Compute.Network.PortRangeEnd",
        32_000,
        "Last port for jobs.",
        maximum=MAX_PORT,
        is_pending=True,
    ),
)

INPUT_KEYS = (
    Key(
        "InputSources.Disabled",
        (),
        "Input sources that this node does not offer.",
        node_aliases=("BACALHAU_NODE_DISABLEDFEATURES_STORAGES",),
    ),
    Key("InputSources.ReadTimeout", "5m0s", "Longest time to list an input.", is_duration=True),
    Key("InputSources.MaxRetryCount", 3, "Attempts after the first for a URL."),
    Key(
        "InputSources.MountReadOnly",
        False,
        "Let tasks read, but not change, their copies of inputs; then they cost no copying.",
    ),
    Key(
        "InputSources.Cache.Size",
        "10%",
        "Disk space for inputs that are kept for later tasks: an amount, or a percentage of what "
        "is free; 0 keeps none.",
        check=share_of(parse_bytes),
    ),
    Key(
        "InputSources.Cache.VerifyInterval",
        "24h0m0s",
        "Time after which a kept input is hashed again before it is used; 0s for each time.",
        is_duration=True,
    ),
    Key(
        "InputSources.Types.IPFS.Endpoint",
        "",
        "Address of an IPFS node to read from.",
        is_pending=True,
        aliases=_IPFS,
    ),
    Key("InputSources.Types.S3.AllowAnonymous", True, "Read public buckets without credentials."),
    Key("InputSources.Types.S3.Concurrency", 64, "Small objects in flight at once.", minimum=1),
    Key(
        "InputSources.Types.S3.FileTargets",
        True,
        "Bind a single object at a target that has its name, rather than in a directory there.",
    ),
    Key(
        "InputSources.Types.S3.MaxObjects",
        1_000_000,
        "Objects that an input may consist of.",
        minimum=1,
    ),
    Key(
        "InputSources.Types.S3.PartSize",
        "8MiB",
        "Size of the parts that large objects are fetched in, from 5MiB to 1GiB.",
        check=amount_between(5 * 2**20, 2**30),
    ),
)

PUBLISHER_KEYS = (
    Key(
        "Publishers.Disabled",
        (),
        "Publishers that this node does not offer.",
        node_aliases=("BACALHAU_NODE_DISABLEDFEATURES_PUBLISHERS",),
    ),
    Key(
        "Publishers.Types.IPFS.Endpoint",
        "",
        "Address of an IPFS node to publish to.",
        is_pending=True,
        aliases=_IPFS,
    ),
    Key("Publishers.Types.S3.PreSignedURLDisabled", False, "Hand out plain S3 locations."),
    Key(
        "Publishers.Types.S3.PreSignedURLExpiration",
        "30m0s",
        "Life of a link; a week at most.",
        is_duration=True,
    ),
    Key(
        "Publishers.Types.Local.Address",
        "127.0.0.1",
        "Address under which results are served.",
        node_aliases=("BACALHAU_NODE_COMPUTE_LOCALPUBLISHER_ADDRESS",),
    ),
    Key(
        "Publishers.Types.Local.Port",
        6001,
        "Port under which results are served.",
        maximum=MAX_PORT,
        node_aliases=("BACALHAU_NODE_COMPUTE_LOCALPUBLISHER_PORT",),
    ),
    Key(f"{_MANAGED}.Bucket", "", "Bucket of the orchestrator for results.", is_pending=True),
    Key(f"{_MANAGED}.Key", "", "Where in that bucket results go.", is_pending=True),
    Key(f"{_MANAGED}.Region", "", "Region of that bucket.", is_pending=True),
    Key(f"{_MANAGED}.Endpoint", "", "Server of that bucket.", is_pending=True),
    Key(
        f"{_MANAGED}.PreSignedURLExpiration",
        "1h0m0s",
        "Life of a link to write there.",
        is_duration=True,
        is_pending=True,
    ),
)

ENGINE_KEYS = (
    Key(
        "Engines.Disabled",
        (),
        "Engines that this node does not offer.",
        node_aliases=("BACALHAU_NODE_DISABLEDFEATURES_ENGINES",),
    ),
    Key("Engines.Types.Docker.StopTimeout", "10s", "Grace before SIGKILL.", is_duration=True),
    Key(
        "Engines.Types.Docker.Registries",
        "",
        "Users of image registries, by registry, each with Username and Password.",
        is_document=True,
    ),
    Key(
        "Engines.Types.Docker.ExtraPlatforms",
        (),
        "Platforms that this node runs beside its own, such as linux/arm64 where it is emulated.",
    ),
    Key(
        "Engines.Types.Docker.DropCapabilities",
        ("AUDIT_WRITE", "MKNOD", "NET_RAW", "SETFCAP"),
        "What root in a container may not do; ALL for everything.",
    ),
    Key(
        "Engines.Types.Docker.ShmSize",
        "",
        "Size of /dev/shm in containers; empty leaves it to Docker.",
    ),
    Key(
        "Engines.Types.Docker.AllowedPrivateNetworks",
        (),
        "Networks that are not public and that tasks with the HTTP network may reach.",
    ),
    Key(
        f"{_CACHE}.Size",
        1000,
        "Images whose description is remembered.",
        node_aliases=(f"{_CACHE_VARIABLE}_SIZE",),
    ),
    Key(
        f"{_CACHE}.TTL",
        "1h0m0s",
        "Time that the description of an image is remembered.",
        is_duration=True,
        node_aliases=(f"{_CACHE_VARIABLE}_DURATION",),
    ),
    Key(
        f"{_CACHE}.Refresh",
        "1h0m0s",
        "Kept for older configurations; what is too old is not used anyway.",
        is_duration=True,
        node_aliases=(f"{_CACHE_VARIABLE}_FREQUENCY",),
    ),
    Key(
        "Engines.Types.WASM.LegacyExitCode",
        False,
        "Give modules that end without an exit code -1, as v1.5 does, instead of 0.",
    ),
)

DOWNLOAD_KEYS = (
    Key("ResultDownloaders.Disabled", (), "Kinds of results not to download."),
    Key(
        "ResultDownloaders.Timeout",
        "0s",
        "Kept for older configurations; has no effect.",
        is_duration=True,
    ),
    Key(
        "ResultDownloaders.Types.IPFS.Endpoint",
        "",
        "Address of an IPFS node to download from.",
        is_pending=True,
        aliases=_IPFS,
    ),
)

ADMISSION_KEYS = (
    Key(
        f"{_ADMISSION}.Locality",
        "anywhere",
        "local takes only jobs whose inputs are on this node; else anywhere.",
        check=one_of("local", "anywhere"),
    ),
    Key(
        f"{_ADMISSION}.RejectStatelessJobs",
        False,
        "Refuse jobs without inputs.",
        node_aliases=(f"{_SELECTION}_REJECTSTATELESSJOBS",),
    ),
    Key(
        f"{_ADMISSION}.AcceptNetworkedJobs",
        False,
        "Run jobs that use the network.",
        node_aliases=(f"{_SELECTION}_ACCEPTNETWORKEDJOBS",),
    ),
    Key(
        f"{_ADMISSION}.RejectNetworkedJobs",
        False,
        "Refuse jobs that use the network, whatever AcceptNetworkedJobs says.",
    ),
    Key(
        f"{_ADMISSION}.ProbeHTTP",
        "",
        "Address that is asked whether to take a job.",
        check=web_address,
        node_aliases=(f"{_SELECTION}_PROBEHTTP",),
    ),
    Key(
        f"{_ADMISSION}.ProbeExec",
        "",
        "Command that is asked whether to take a job.",
        node_aliases=(f"{_SELECTION}_PROBEEXEC",),
    ),
)
