"""Which plug-ins a node offers."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from bacalhau.config import Settings
from bacalhau.node.plugins import find_plugins


@pytest.mark.parametrize(
    ("key", "word", "hint"),
    [
        ("Engines.Disabled", "dockr", "did you mean docker?"),
        ("InputSources.Disabled", "htpp", "there are inline, local, localdirectory, s3, urldown"),
    ],
)
def test_disabling_what_there_is_not_is_told(key: str, word: str, hint: str) -> None:
    """Whoever misspells a name believes that it is switched off."""
    with capture_logs() as logs:
        find_plugins(Settings({key: (word,)}))
    (line,) = logs
    assert (line["event"], line["key"], line["type"]) == ("nothing_to_disable", key, word)
    assert line["hint"].startswith(hint)


@pytest.mark.parametrize(
    ("key", "word"),
    [("Engines.Disabled", "Docker"), ("Publishers.Disabled", "ipfs"), ("Engines.Disabled", "noop")],
)
def test_disabling_what_the_original_has_is_not(key: str, word: str) -> None:
    with capture_logs() as logs:
        find_plugins(Settings({key: (word,)}))
    assert logs == []


@pytest.mark.parametrize("word", ["local", "localDirectory"])
def test_a_source_with_two_names_is_disabled_by_either(word: str) -> None:
    sources = find_plugins(Settings({"InputSources.Disabled": (word,)})).sources
    assert set(sources) == {"inline", "s3", "urldownload"}
