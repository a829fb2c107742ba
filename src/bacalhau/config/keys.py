"""The table of configuration keys (spec config.md 3). One row each; all else is derived from it.

The rows stand in ``_keys_*.py``, in the order in which the API shows them.
"""

from __future__ import annotations

from bacalhau.config._keys_api import API_KEYS, LOG_KEYS, PROCESS_KEYS, WEB_KEYS
from bacalhau.config._keys_compute import (
    ADMISSION_KEYS,
    COMPUTE_KEYS,
    DOWNLOAD_KEYS,
    ENGINE_KEYS,
    INPUT_KEYS,
    PUBLISHER_KEYS,
)
from bacalhau.config._keys_jobs import JOB_KEYS
from bacalhau.config._keys_orchestrator import ORCHESTRATOR_KEYS
from bacalhau.config.key import Key, Value

__all__ = ["BY_NAME", "KEYLESS_SECTIONS", "KEYS", "SECTIONS", "Key", "Value"]

KEYS: tuple[Key, ...] = (
    *API_KEYS,
    *PROCESS_KEYS,
    *ORCHESTRATOR_KEYS,
    *COMPUTE_KEYS,
    *WEB_KEYS,
    *INPUT_KEYS,
    *PUBLISHER_KEYS,
    *ENGINE_KEYS,
    *DOWNLOAD_KEYS,
    *JOB_KEYS,
    *ADMISSION_KEYS,
    *LOG_KEYS,
)

BY_NAME = {key.name.lower(): key for key in KEYS}

KEYLESS_SECTIONS = {"UpdateConfig.Interval": "FeatureFlags"}
"""Sections that v1.5 has although no key is in them, by the key they stand behind."""


def _sections() -> dict[str, str]:
    found = {}
    for name in [*(key.name.rpartition(".")[0] for key in KEYS), *KEYLESS_SECTIONS.values()]:
        words = name.split(".") if name else []
        for count in range(1, len(words) + 1):
            section = ".".join(words[:count])
            found[section.lower()] = section
    return found


SECTIONS = _sections()
"""The names of all sections, by their names in lower case."""
