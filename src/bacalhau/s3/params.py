"""The parameters that name objects in S3 (spec storage.md 2.1)."""

from __future__ import annotations

import msgspec

from bacalhau.models.params import ParamsModel


class S3Params(ParamsModel, frozen=True, kw_only=True):
    """Where an object, or everything under a prefix, is. Published results have the same form.

    ``key`` is an object's key; one that is empty, or ends with ``/`` or ``*``, is a prefix.
    ``filter`` selects below a prefix. ``version_id`` and ``checksum_sha256`` concern a single
    object; the checksum is in base64 or hexadecimal.
    """

    bucket: str = ""
    key: str = ""
    filter: str = ""
    region: str = ""
    endpoint: str = ""
    version_id: str = ""
    checksum_sha256: str = msgspec.field(default="", name="ChecksumSHA256")


class S3SourceParams(S3Params, frozen=True, kw_only=True):
    """An input. ``anonymous``: do not sign requests, even where credentials are at hand."""

    anonymous: bool = False
