"""What is in the results of a job, as the orchestrator keeps it (docs/design/provenance.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.client.requests import Page
from bacalhau.client.results import Content, is_clean
from bacalhau.errors import BacalhauError
from bacalhau.lib.digests import parse_digest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bacalhau.client.api import Client
    from bacalhau.models.provenance import OutputRecord

_PAGES = 100


def published_contents(client: Client, job_id: str, count: int) -> list[tuple[Content, ...]] | None:
    """Return the files of each of a job's results, of which there are ``count``.

    None where they are not all known: the server is older, or there are too many to be kept.
    """
    try:
        records = list(_outputs(client, job_id))
    except BacalhauError:
        return None
    if len(records) != count or any(len(each.files) != each.objects for each in records):
        return None
    listed = [
        tuple(
            Content(path=file.path, size_bytes=file.size_bytes, digest=parse_digest(file.sha256))
            for file in each.files
        )
        for each in records
    ]
    is_sound = all(is_clean(content.path) for contents in listed for content in contents)
    return listed if is_sound else None


def _outputs(client: Client, job_id: str) -> Iterator[OutputRecord]:
    token = ""
    for _ in range(_PAGES):
        page = client.provenance(job_id, Page(next_token=token))
        yield from (item.outputs for item in page.items if item.outputs is not None)
        token = page.next_token
        if not token:
            return
