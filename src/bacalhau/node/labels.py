"""The labels a node carries (spec orchestration.md 3.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.compute.gpus import gpu_labels
from bacalhau.lib.build import build_fields

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.config import Settings
    from bacalhau.models import GPU


def node_labels(settings: Settings, gpus: Sequence[GPU] = ()) -> dict[str, str]:
    """Return configured labels, and those of system, architecture and GPUs, which win."""
    configured = dict(word.partition("=")[::2] for word in settings.words("Labels"))
    build = build_fields()
    return {
        **configured,
        "Operating-System": build["GOOS"],
        "Architecture": build["GOARCH"],
        **gpu_labels(gpus),
    }
