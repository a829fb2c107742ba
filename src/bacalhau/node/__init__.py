"""The composition root: the only place that knows which parts make a node."""

from bacalhau.telemetry.loading import load_structlog

load_structlog()

from bacalhau.node.process import serve  # noqa: E402 - it imports structlog

__all__ = ["serve"]
