"""The parameters that name objects in S3 (spec storage.md 2.1, 7.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.models.decode import params_problems
from bacalhau.models.params import ParamsModel
from bacalhau.models.problems import Problem
from bacalhau.models.specs.s3_partition import S3Partition, partition_problems

if TYPE_CHECKING:
    from bacalhau.models.job import SpecConfig

MANIFEST = "_manifest.json"
"""What the list of plain results is called, which lies beside them."""

_BUCKET_HINT = "Bucket is the bucket's name alone, such as my-data"
_PAYERS = ("requester",)
_STYLES = ("auto", "path", "virtual")
_KEY_HINT = "Key is where to store results, such as results/{jobID}/{executionID}"
_ENCODING_HINT = "leave Encoding out for one archive, which is gzip; plain stores each file"


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
    """An input; these fields are additions of ours.

    ``anonymous``: do not sign requests, even where credentials are at hand. ``request_payer``:
    ``requester`` pays for a bucket whose owner does not. ``expected_bucket_owner``: the account
    that the bucket has to belong to. ``addressing_style``: ``auto``, ``path`` or ``virtual``.
    ``partition``: how the executions of the job share the objects.
    """

    anonymous: bool = False
    request_payer: str = ""
    expected_bucket_owner: str = ""
    addressing_style: str = ""
    partition: S3Partition = S3Partition()


class S3PublisherParams(ParamsModel, frozen=True, kw_only=True):
    """Where to store results, and how; ``key`` is a template.

    ``encoding`` in any case: ``gzip``, or nothing, for one archive; ``plain`` for an object a file.
    """

    bucket: str = ""
    key: str = ""
    endpoint: str = ""
    region: str = ""
    encoding: str = ""

    @property
    def is_plain(self) -> bool:
        """True for an object a file, False for one archive."""
        return self.encoding.lower() == "plain"


def source_problems(params: S3SourceParams) -> list[Problem]:
    """Return what is wrong with an input; paths begin with ``Params``."""
    problems = []
    if not params.bucket:
        text = "invalid s3 storage params: bucket cannot be empty"
        problems.append(Problem("Params.Bucket", text, _BUCKET_HINT))
    for name, value, allowed in (
        ("RequestPayer", params.request_payer, _PAYERS),
        ("AddressingStyle", params.addressing_style, _STYLES),
    ):
        if value and value not in allowed:
            text = f'invalid s3 storage params: {name} "{value}" is not {" or ".join(allowed)}'
            problems.append(Problem(f"Params.{name}", text, f"leave {name} out for the default"))
    problems += partition_problems(params.partition)
    return problems


def publisher_problems(params: S3PublisherParams) -> list[Problem]:
    """Return what a place for results lacks; paths begin with ``Params``."""
    problems = []
    if not params.bucket:
        text = "invalid s3 params. bucket cannot be empty"
        problems.append(Problem("Params.Bucket", text, _BUCKET_HINT))
    if not params.key:
        text = "invalid s3 params. key cannot be empty"
        problems.append(Problem("Params.Key", text, _KEY_HINT))
    if params.encoding.lower() not in ("", "gzip", "plain"):
        text = "invalid s3 params. encoding must be either 'plain' or 'gzip'"
        problems.append(Problem("Params.Encoding", text, _ENCODING_HINT))
    return problems


def problems_of_source(spec: SpecConfig) -> list[Problem]:
    """Read the parameters of an input, and return what is wrong with them."""
    return params_problems(S3SourceParams, spec, source_problems)


def problems_of_publisher(spec: SpecConfig) -> list[Problem]:
    """Read the parameters of a publisher, and return what is wrong with them."""
    return params_problems(S3PublisherParams, spec, publisher_problems)
