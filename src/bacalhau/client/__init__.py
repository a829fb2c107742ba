"""Speaking to an orchestrator from Python."""

from bacalhau.client.api import Client
from bacalhau.client.requests import Page

__all__ = ["Client", "Page"]
