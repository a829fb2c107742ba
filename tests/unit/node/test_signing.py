"""How long links to results work."""

from __future__ import annotations

import pytest

from bacalhau.node.signing import link_seconds


@pytest.mark.parametrize(
    ("configured", "seconds"),
    [(0, 1800), (-5, 1800), (0.2, 1), (90.4, 90), (1800, 1800), (10**9, 604_800)],
)
def test_life_of_a_link(configured: float, seconds: int) -> None:
    """Half an hour where nothing is set, as in documents of v1.5; a week is the most of S3."""
    assert link_seconds(configured) == seconds
