"""Where results go in a bucket: templates of keys (spec storage.md 7.3, 9.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bacalhau.models import Execution
    from bacalhau.models.specs.s3 import S3PublisherParams

ARCHIVE_SUFFIX = ".tar.gz"
MAX_KEY_BYTES = 1024

_PLACEHOLDER = re.compile(r"\{(nodeID|executionID|jobID|date|time)\}")


def final_key(params: S3PublisherParams, execution: Execution, now_ns: int) -> str:
    """Fill in a publisher's template. Date and time are those of this node, in its time zone.

    The key of an archive ends with ``.tar.gz``, what the keys of plain files begin with ends with
    ``/``.
    """
    now = datetime.fromtimestamp(now_ns / 1e9, tz=UTC).astimezone()
    values = {**_names(execution), "date": f"{now:%Y%m%d}", "time": f"{now:%H%M%S}"}
    return _PLACEHOLDER.sub(lambda match: values[match[1]], _completed(params))


def is_own_key(params: S3PublisherParams) -> bool:
    """Tell whether the place that a template names belongs to one execution alone."""
    return "{executionID}" in _completed(params)


def can_be_key(key: str, params: S3PublisherParams, execution: Execution) -> bool:
    """Tell whether a key is one that the template gives this execution, at whatever time."""
    values = {name: re.escape(text) for name, text in _names(execution).items()}
    values |= {"date": "[0-9]{8}", "time": "[0-9]{6}"}
    template = _completed(params)
    pattern, position = "", 0
    for match in _PLACEHOLDER.finditer(template):
        pattern += re.escape(template[position : match.start()]) + values[match[1]]
        position = match.end()
    return re.fullmatch(pattern + re.escape(template[position:]), key) is not None


def _names(execution: Execution) -> dict[str, str]:
    return {
        "nodeID": execution.node_id,
        "executionID": execution.id,
        "jobID": execution.job_id,
    }


def _completed(params: S3PublisherParams) -> str:
    template = params.key
    if params.is_plain:
        return template if template.endswith("/") else f"{template}/"
    if template.endswith("/"):
        template += "{executionID}"
    return template if template.endswith(ARCHIVE_SUFFIX) else template + ARCHIVE_SUFFIX
