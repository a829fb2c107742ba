"""Where results go in a bucket: templates of keys (spec storage.md 7.3, 9.3)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bacalhau.lib.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.models import Execution
    from bacalhau.models.specs.s3 import S3PublisherParams

ARCHIVE_SUFFIX = ".tar.gz"
MAX_KEY_BYTES = 1024

_NAMES = ("nodeID", "executionID", "jobID", "date", "time")
_PLACEHOLDER = re.compile(rf"\{{({'|'.join(_NAMES)})\}}")
_WORD_IN_BRACES = re.compile(r"\{(\w+)\}")


def final_key(params: S3PublisherParams, execution: Execution, now_ns: int) -> str:
    """Fill in a publisher's template. Date and time are those of this node, in its time zone.

    The key of an archive ends with ``.tar.gz``, what the keys of plain files begin with ends with
    ``/``.
    """
    now = datetime.fromtimestamp(now_ns / 1e9, tz=UTC).astimezone()
    values = {**_names(execution), "date": f"{now:%Y%m%d}", "time": f"{now:%H%M%S}"}
    return _PLACEHOLDER.sub(lambda match: values[match[1]], _completed(params))


def template_warnings(key: str) -> Iterator[str]:
    """Yield what stays in a key as it is, though it looks as if it stood for something."""
    for name in dict.fromkeys(_WORD_IN_BRACES.findall(key)):
        if name not in _NAMES:
            near = nearest(name, _NAMES)
            guess = f"; did you mean {{{near}}}?" if near else ""
            yield f"{{{name}}} in Key is not filled in{guess}"
    if "*" in key:
        yield f'the "*" in Key "{key}" is part of the name: it stands for nothing here'


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
