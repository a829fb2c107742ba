"""Pages of jobs: their order and their cursors (spec api.md 3.2, 3.7).

A cursor names the last job of a page by the key that pages are sorted by, so that going on costs
the same anywhere in the list and jobs that come or go do not shift it. It also carries the order
and the limit of its page, which win over those of the request that brings it back.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, get_args

import msgspec

from bacalhau.errors import UserError
from bacalhau.ports.store import JobPage, JobQuery

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.models import Job

JobOrder = Literal["created_at", "modified_at", "id"]
ALL_NAMESPACES = "*"
_INT64_MAX = 2**63 - 1


class Position(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """A place in the list: a time in nanoseconds, 0 when sorted by id alone, and a job's id."""

    time_ns: Annotated[int, msgspec.Meta(ge=-_INT64_MAX, le=_INT64_MAX)]
    id: str


class _Cursor(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    order_by: JobOrder
    reverse: bool
    limit: Annotated[int, msgspec.Meta(ge=1, le=2**32 - 1)]
    last: Position


class PageRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A query made definite: its cursor read, and its parameters checked.

    ``namespace`` is empty for all. ``after`` is None for the first page.
    """

    query: JobQuery
    namespace: str
    order_by: JobOrder
    reverse: bool
    limit: int
    after: Position | None

    def position(self, job: Job) -> Position:
        """Return where a job stands in the order of these pages."""
        if self.order_by == "id":
            return Position(0, job.id)
        time_ns = job.create_time if self.order_by == "created_at" else job.modify_time
        return Position(time_ns, job.id)

    def page(self, jobs: Sequence[Job]) -> JobPage:
        """Make a page of the jobs after the cursor: all, or at least one more than the limit."""
        if not self.limit or len(jobs) <= self.limit:
            return JobPage(jobs=tuple(jobs))
        shown = tuple(jobs[: self.limit])
        cursor = _Cursor(self.order_by, self.reverse, self.limit, self.position(shown[-1]))
        return JobPage(jobs=shown, cursor=_write(cursor))


def page_request(query: JobQuery) -> PageRequest:
    """Read the cursor of a query and check its parameters.

    Raises:
        UserError: code ``BadRequest``, for an unreadable cursor or an unknown order.
    """
    namespace = "" if query.namespace == ALL_NAMESPACES else query.namespace
    if query.after:
        cursor = _read(query.after)
        return PageRequest(
            query=query,
            namespace=namespace,
            order_by=cursor.order_by,
            reverse=cursor.reverse,
            limit=cursor.limit,
            after=cursor.last,
        )
    return PageRequest(
        query=query,
        namespace=namespace,
        order_by=_order(query.order_by),
        reverse=query.reverse,
        limit=query.limit,
        after=None,
    )


def _order(text: str) -> JobOrder:
    for known in get_args(JobOrder):
        if text == known:
            return known  # type: ignore[no-any-return]
    raise UserError(
        f"jobs cannot be ordered by {text!r}",
        hint=f"Order by one of {', '.join(get_args(JobOrder))}.",
        component="JobStore",
        fields=["order_by"],
    )


def _write(cursor: _Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).rstrip(b"=").decode()


def _read(text: str) -> _Cursor:
    padded = text + "=" * (-len(text) % 4)
    try:
        document = base64.b64decode(padded, altchars=b"-_", validate=True)
        return msgspec.json.decode(document, type=_Cursor)
    except (binascii.Error, ValueError) as error:  # the latter also from msgspec, and non-ASCII
        _refuse(text, error)


def _refuse(text: str, error: ValueError) -> NoReturn:
    raise UserError(
        f"the paging token {text!r} cannot be read",
        hint="Use the token of the previous page as it was returned, or start without one.",
        component="JobStore",
        fields=["next_token"],
    ) from error
