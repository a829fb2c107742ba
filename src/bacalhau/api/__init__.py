"""The HTTP API: endpoint table, handlers, middleware, log streams, server (spec api.md)."""

from bacalhau.api.app import create_app
from bacalhau.api.door import Door
from bacalhau.api.endpoints import ENDPOINTS, Endpoint
from bacalhau.api.guard import Guard
from bacalhau.api.handlers import AgentInfo, Intake
from bacalhau.api.login import Login
from bacalhau.api.server import check_address, serve_app

__all__ = [
    "ENDPOINTS",
    "AgentInfo",
    "Door",
    "Endpoint",
    "Guard",
    "Intake",
    "Login",
    "check_address",
    "create_app",
    "serve_app",
]
