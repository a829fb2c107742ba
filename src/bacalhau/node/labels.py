"""The labels a node carries (spec orchestration.md 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.lib.build import build_fields

if TYPE_CHECKING:
    from bacalhau.config import Settings


def node_labels(settings: Settings) -> dict[str, str]:
    """Return configured labels, and those of system and architecture, which win."""
    configured = dict(word.partition("=")[::2] for word in settings.words("Labels"))
    build = build_fields()
    return {**configured, "Operating-System": build["GOOS"], "Architecture": build["GOARCH"]}
