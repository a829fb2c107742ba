"""The HTTP API: endpoint table, handlers, middleware, log streams, server (spec api.md)."""

from bacalhau.api.app import create_app
from bacalhau.api.endpoints import ENDPOINTS, Endpoint
from bacalhau.api.handlers import AgentInfo, Intake
from bacalhau.api.server import serve_app

__all__ = ["ENDPOINTS", "AgentInfo", "Endpoint", "Intake", "create_app", "serve_app"]
