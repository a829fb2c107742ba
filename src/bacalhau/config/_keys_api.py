"""Keys of the API, the web UI, logs, and the process as a whole (spec config.md 3.1, 3.2, 3.5)."""

from __future__ import annotations

from bacalhau.config.key import MAX_PORT, Key, one_of

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
        "API.TLS.UseTLS",
        False,
        "Connect to the API with https.",
        is_pending=True,
        aliases=("BACALHAU_API_TLS",),
    ),
    Key(
        "API.TLS.CAFile",
        "",
        "Certificates the client trusts, in place of the system's.",
        is_pending=True,
        aliases=("BACALHAU_API_CACERT",),
    ),
    Key(
        "API.TLS.Insecure",
        False,
        "Connect to an API whose certificate cannot be verified.",
        is_pending=True,
        aliases=("BACALHAU_API_INSECURE",),
    ),
    Key(
        "API.TLS.CertFile",
        "",
        "Certificate of the API.",
        is_pending=True,
        node_aliases=("BACALHAU_TLS_CERT",),
    ),
    Key(
        "API.TLS.KeyFile",
        "",
        "Private key of the API's certificate.",
        is_pending=True,
        node_aliases=("BACALHAU_TLS_KEY",),
    ),
    Key(
        "API.TLS.SelfSigned",
        False,
        "Make a certificate for the API at each start.",
        is_pending=True,
        node_aliases=("BACALHAU_TLS_SELFSIGNED",),
    ),
    Key(
        "API.TLS.AutoCert",
        "",
        "Host name for which a certificate is obtained by ACME.",
        is_pending=True,
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
        "Ways to authenticate, by name, each with Type and PolicyPath.",
        is_document=True,
        is_pending=True,
    ),
    Key(
        "API.Auth.AccessPolicyPath",
        "",
        "Policy that says who may do what; empty allows everything.",
        is_pending=True,
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
        is_pending=True,
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
        is_pending=True,
    ),
    Key(
        "Logging.LogDebugInfoInterval",
        "30s",
        "Time between two accounts of what runs on a node; 0 is never.",
        is_duration=True,
        minimum=-1,
        is_pending=True,
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
