"""Fixtures of the tests against real S3 servers."""

from __future__ import annotations

from tests.support.docker import docker_daemon
from tests.support.s3 import rgw_objects, s3_environment, s3_objects, served

__all__ = ["docker_daemon", "rgw_objects", "s3_environment", "s3_objects", "served"]
