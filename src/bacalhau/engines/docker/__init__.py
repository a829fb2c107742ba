"""The Docker engine (spec engines.md 2)."""

from bacalhau.engines.docker.engine import DockerEngine

__all__ = ["DockerEngine"]
