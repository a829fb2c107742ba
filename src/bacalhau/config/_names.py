"""Finding a key by what somebody wrote (spec cli.md 3.5, 14)."""

from __future__ import annotations

from difflib import get_close_matches

from bacalhau.config.keys import BY_NAME, Key
from bacalhau.errors import Code, UserError

CODE = Code.CONFIGURATION

_TOKENS = "Orchestrator.Auth.Token or Compute.Auth.Token"
_OLD = {
    "auth.accesspolicypath": "API.Auth.AccessPolicyPath",
    "auth.methods": "API.Auth.Methods",
    "node.allowlistedlocalpaths": "Compute.AllowListedLocalPaths",
    "node.clientapi.host": "API.Host",
    "node.clientapi.port": "API.Port",
    "node.disabledfeatures.engines": "Engines.Disabled",
    "node.disabledfeatures.publishers": "Publishers.Disabled",
    "node.disabledfeatures.storages": "InputSources.Disabled",
    "node.labels": "Labels",
    "node.loggingmode": "Logging.Mode",
    "node.nameprovider": "NameProvider",
    "node.network.advertisedaddress": "Orchestrator.Advertise",
    "node.network.authsecret": _TOKENS,
    "node.network.orchestrators": "Compute.Orchestrators",
    "node.network.port": "Orchestrator.Port",
    "node.requester.manualnodeapproval": "Orchestrator.NodeManager.ManualApproval",
    "node.serverapi.host": "API.Host",
    "node.serverapi.port": "API.Port",
    "node.webui.enabled": "WebUI.Enabled",
    "node.webui.port": "WebUI.Listen",
    "update.checkfrequency": "UpdateConfig.Interval",
}
"""Names of versions before 1.5, and what they are called now."""


def find_key(name: str) -> Key:
    """Return the key of a name, whatever its case.

    Raises:
        UserError: code ``ConfigurationError``; there is none, and the hint tells what is near.
    """
    wanted = name.strip().lower()
    key = BY_NAME.get(wanted)
    if key is None:
        raise UserError(
            f'"{wanted}" is not a valid config key',
            code=CODE,
            hint=f"{near_key(wanted)}`bacalhau config list` shows all keys",
            component="Config",
            fields=[name],
        )
    return key


def near_key(name: str) -> str:
    """Return a sentence about what a name may have meant, with a blank behind it, or nothing."""
    wanted = name.strip().lower()
    if wanted in _OLD:
        return f"it is called {_OLD[wanted]} since version 1.5; "
    if wanted.partition(".")[0] == "node":
        return "it belongs to versions before 1.5; "
    near = get_close_matches(wanted, list(BY_NAME), n=1)
    return f"did you mean {BY_NAME[near[0]].name}? " if near else ""
