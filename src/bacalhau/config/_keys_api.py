"""Keys of the API, the web UI, logs, and the process as a whole (spec config.md 3.1, 3.2, 3.5)."""

from __future__ import annotations

from bacalhau.config.key import MAX_PORT, Key, amount_between, one_of

LEVELS = (
    *("trace", "debug", "info", "warn", "warning", "error", "fatal", "panic"),
    "disabled",
)
PROVIDERS = ("puuid", "uuid", "hostname", "aws", "gcp")
_OAUTH = "API.Auth.Oauth2"

API_KEYS = (
    Key(
        "API.Host",
        "127.0.0.1",
        "Address the API listens on, and the client connects to.",
        node_aliases=("BACALHAU_SERVER_HOST",),
    ),
    Key(
        "API.Port",
        1234,
        "Port of the API.",
        maximum=MAX_PORT,
        node_aliases=("BACALHAU_SERVER_PORT",),
    ),
    Key(
        "API.AllowedOrigins",
        (),
        "Origins of web pages, such as http://localhost:3000, that may use the API beside its own.",
    ),
    Key(
        "API.MaxBodySize",
        "10MB",
        "Largest body of a request, such as a job; larger ones are answered with 413.",
        check=amount_between(1_000, 2**32),
    ),
    Key(
        "API.MaxRequestsPerSecond",
        1000,
        "Most requests a second from one address; more are answered with 429.",
        minimum=1,
    ),
    Key(
        "API.TLS.UseTLS",
        False,
        "Connect to the API with https.",
        aliases=("BACALHAU_API_TLS",),
    ),
    Key(
        "API.TLS.CAFile",
        "",
        "Certificates the client trusts, in place of the system's.",
        aliases=("BACALHAU_API_CACERT",),
    ),
    Key(
        "API.TLS.Insecure",
        False,
        "Accept any certificate of the API; has no effect beside CAFile.",
        aliases=("BACALHAU_API_INSECURE",),
    ),
    Key(
        "API.TLS.CertFile",
        "",
        "Certificate of the API, in PEM; with KeyFile, it speaks TLS alone.",
        node_aliases=("BACALHAU_TLS_CERT",),
    ),
    Key(
        "API.TLS.KeyFile",
        "",
        "Private key of the API's certificate.",
        node_aliases=("BACALHAU_TLS_KEY",),
    ),
    Key(
        "API.TLS.SelfSigned",
        False,
        "Make a certificate for the API, in the DataDir, and speak TLS with it.",
        node_aliases=("BACALHAU_TLS_SELFSIGNED",),
    ),
    Key(
        "API.TLS.AutoCert",
        "",
        "Host name for a certificate by ACME; refused, as that is not supported yet.",
        node_aliases=("BACALHAU_AUTO_TLS",),
    ),
    Key(
        "API.TLS.AutoCertCachePath",
        "",
        "Folder in which certificates from ACME are kept.",
        is_pending=True,
    ),
    Key(
        "API.Auth.Methods",
        '{"ClientKey":{"Type":"challenge"}}',
        "Ways to log in, by name, each with Type (challenge or ask) and PolicyPath.",
        is_document=True,
    ),
    Key(
        "API.Auth.AccessPolicyPath",
        "",
        "Policy that says who may do what: builtin:namespaces; empty allows everything.",
    ),
    Key(
        "API.Auth.TokenLifetime",
        "720h0m0s",
        "Time that a token is valid after logging in.",
        is_duration=True,
        minimum=1,
    ),
    Key(
        "API.Auth.Users",
        "",
        "Users, each with Alias, Username, Password, APIKey and Capabilities.",
        is_document=True,
        is_pending=True,
    ),
    Key(f"{_OAUTH}.ProviderID", "", "Name of the identity provider.", is_pending=True),
    Key(f"{_OAUTH}.ProviderName", "", "Its name for people.", is_pending=True),
    Key(
        f"{_OAUTH}.DeviceAuthorizationEndpoint",
        "",
        "Where a device asks to be authorised.",
        is_pending=True,
    ),
    Key(f"{_OAUTH}.TokenEndpoint", "", "Where tokens are obtained.", is_pending=True),
    Key(f"{_OAUTH}.Issuer", "", "Who must have issued a token.", is_pending=True),
    Key(f"{_OAUTH}.JWKSUri", "", "Where the keys that sign tokens are.", is_pending=True),
    Key(f"{_OAUTH}.Audience", "", "For whom a token must be.", is_pending=True),
    Key(f"{_OAUTH}.DeviceClientID", "", "Name of this client at the provider.", is_pending=True),
    Key(f"{_OAUTH}.PollingInterval", 0, "Seconds between two questions.", is_pending=True),
    Key(f"{_OAUTH}.Scopes", (), "What a token is asked for.", is_pending=True),
)

PROCESS_KEYS = (
    Key(
        "NameProvider",
        "puuid",
        "How a node without a name makes one: puuid, uuid, hostname, aws or gcp.",
        check=one_of(*PROVIDERS),
        node_aliases=("BACALHAU_NODE_NAMEPROVIDER",),
    ),
    Key("NodeID", "", "Name of this node; made up and kept when empty."),
    Key(
        "DataDir",
        "~/.bacalhau",
        "Folder of everything this program keeps.",
        aliases=("BACALHAU_DIR",),
    ),
    Key("StrictVersionMatch", False, "Kept for older configurations; has no effect."),
    Key(
        "Labels",
        (),
        "Labels of this node, as key=value.",
        is_map=True,
        node_aliases=("BACALHAU_NODE_LABELS",),
    ),
)

WEB_KEYS = (
    Key("WebUI.Enabled", False, "Serve the web UI.", is_pending=True),
    Key("WebUI.Listen", "0.0.0.0:8438", "Address and port of the web UI.", is_pending=True),
    Key(
        "WebUI.Backend",
        "",
        "Address of the API that the web UI shows; empty is the node's own.",
        is_pending=True,
    ),
)

LOG_KEYS = (
    Key(
        "Logging.Level",
        "info",
        "debug, info, warn or error.",
        check=one_of(*LEVELS),
        aliases=("LOG_LEVEL",),
    ),
    Key(
        "Logging.Mode",
        "default",
        "Form of log lines: default, json or cmd.",
        check=one_of("default", "json", "cmd"),
    ),
    Key(
        "Logging.LogDebugInfoInterval",
        "30s",
        "Time between two accounts of what runs on a node; 0 is never.",
        is_duration=True,
        minimum=-1,
    ),
    Key(
        "UpdateConfig.Interval",
        "0s",
        "Time between checks for a newer version; 0 is never.",
        is_duration=True,
        minimum=-1,
        is_pending=True,
    ),
    Key("DisableAnalytics", False, "Kept for older configurations; nothing is ever sent."),
)
