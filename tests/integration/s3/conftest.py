"""Fixtures of the tests against a real S3 server."""

from __future__ import annotations

from tests.support.s3 import s3_environment, s3_objects

__all__ = ["s3_environment", "s3_objects"]
