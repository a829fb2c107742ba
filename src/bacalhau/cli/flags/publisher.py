"""``-p/--publisher``: where results go (spec cli.md 9.6)."""

from __future__ import annotations

from bacalhau.cli.flags.record import percent_decoded, read_fields
from bacalhau.models.job import SpecConfig

_KEYS = ("target", "dst", "destination")
_S3_OPTIONS = {
    "bucket": "Bucket",
    "key": "Key",
    "region": "Region",
    "endpoint": "Endpoint",
    "encoding": "Encoding",
}


def read_publisher(text: str) -> tuple[SpecConfig, list[str]]:
    """Read one ``--publisher`` value; return it with warnings about what has no effect.

    Raises:
        ValueError: what is wrong with it.
    """
    record = read_fields(text, _KEYS, "publisher")
    location = next(reversed(record.keys.values()), record.bare).strip(" '\"")
    scheme, _, rest = location.partition("://")
    scheme = scheme.lower()
    if scheme in ("ipfs", "local"):
        return SpecConfig(type=scheme), [_no_effect(name, scheme) for name in record.options]
    if scheme == "s3":
        return _s3(rest, record.options)
    raise ValueError(f"unknown publisher type: {scheme or location}. Write local, ipfs or s3://")


def _s3(rest: str, options: dict[str, str]) -> tuple[SpecConfig, list[str]]:
    bucket, _, key = rest.partition("/")
    params = {"Bucket": percent_decoded(bucket), "Key": percent_decoded(key).lstrip("/")}
    warnings = []
    for option, value in options.items():
        name = _S3_OPTIONS.get(option.lower())
        if name is None:
            warnings.append(_no_effect(option, "s3"))
        else:
            params[name] = value
    for name in ("Bucket", "Key"):
        if not params[name]:
            raise ValueError(f"invalid s3 params. {name.lower()} cannot be empty")
    return SpecConfig(type="s3", params=params), warnings


def _no_effect(option: str, publisher: str) -> str:
    return f'option "{option}" has no effect on publisher {publisher}'
