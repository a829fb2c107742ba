"""The composition root: the only place that knows which parts make a node."""

from bacalhau.node.process import serve

__all__ = ["serve"]
