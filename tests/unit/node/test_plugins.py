"""Which plug-ins a node has."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from bacalhau.config import Settings
from bacalhau.node.plugins import find_plugins


@pytest.mark.parametrize(
    ("key", "name", "hint"),
    [
        ("Engines.Disabled", "dockr", "did you mean docker?"),
        ("InputSources.Disabled", "urldownlaod", "did you mean urldownload?"),
        ("Publishers.Disabled", "ipfs", "the names are local, s3"),
    ],
)
def test_a_name_that_disables_nothing_is_told(key: str, name: str, hint: str) -> None:
    with capture_logs() as logs:
        find_plugins(Settings({key: (name.upper(),)}))
    assert logs == [
        {
            "event": "unknown_name_disabled",
            "log_level": "warning",
            "setting": key,
            "name": name,
            "hint": hint,
        }
    ]


def test_names_of_plug_ins_are_disabled_whatever_their_case() -> None:
    with capture_logs() as logs:
        classes = find_plugins(Settings({"Engines.Disabled": (" Docker", "WASM")}))
    assert (list(classes.engines), logs) == ([], [])
