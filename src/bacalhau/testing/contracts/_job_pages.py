"""What ``JobStore.list_jobs`` must do: stable pages by key."""

from __future__ import annotations

import asyncio
import base64
from typing import TYPE_CHECKING

import msgspec
import pytest

from bacalhau.errors import UserError
from bacalhau.lifecycle.changes import JobChanges
from bacalhau.models import LabelSelectorRequirement
from bacalhau.ports.store import JobQuery
from bacalhau.testing.contracts._store_records import make_job, submit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bacalhau.models import Job
    from bacalhau.ports.store import JobPage, JobStore

MANY = 600
"""More jobs than a store looks at in one go."""

ROUNDS = 50


def ids(jobs: Sequence[Job]) -> list[str]:
    """Return the ids in order."""
    return [job.id for job in jobs]


async def pages(store: JobStore, query: JobQuery) -> list[JobPage]:
    """Follow the cursors to the last page."""
    found = [await store.list_jobs(query)]
    while found[-1].cursor:
        assert len(found) < ROUNDS, "the pages do not end"
        query = msgspec.structs.replace(query, after=found[-1].cursor)
        found.append(await store.list_jobs(query))
    return found


async def fill(store: JobStore, jobs: Sequence[Job]) -> None:
    """Store jobs, all at once."""
    await asyncio.gather(*(submit(store, job) for job in jobs))


SOME = [
    make_job("j-c", created=1, modified=9),
    make_job("j-a", created=3, modified=3, namespace="red"),
    make_job("j-d", created=2, modified=2),
    make_job("j-b", created=2, modified=7, namespace="red"),
    make_job("j-e", created=2, modified=7, namespace="blue"),
]
ORDERS = {
    "created_at": ["j-c", "j-b", "j-d", "j-e", "j-a"],
    "modified_at": ["j-d", "j-a", "j-b", "j-e", "j-c"],
    "id": ["j-a", "j-b", "j-c", "j-d", "j-e"],
}


def token(document: object) -> str:
    """Write a cursor as somebody might who guesses its form."""
    return base64.urlsafe_b64encode(msgspec.json.encode(document)).rstrip(b"=").decode()


class JobPages:
    """Part of ``JobStoreContract``."""

    @pytest.mark.parametrize("limit", [0, 1, 2, 3, 4, 5, 6])
    @pytest.mark.parametrize("reverse", [False, True])
    @pytest.mark.parametrize("order_by", list(ORDERS))
    async def test_pages_hold_all_jobs_once_and_in_order(
        self, store: JobStore, order_by: str, reverse: bool, limit: int
    ) -> None:
        await fill(store, SOME)
        query = JobQuery(order_by=order_by, reverse=reverse, limit=limit)
        found = await pages(store, query)
        expected = ORDERS[order_by][::-1] if reverse else ORDERS[order_by]
        assert [job_id for page in found for job_id in ids(page.jobs)] == expected
        assert len(found) == (-(-len(SOME) // limit) if limit else 1)
        assert all(len(page.jobs) == limit for page in found[:-1])

    async def test_the_default_is_all_by_age(self, store: JobStore) -> None:
        assert (await store.list_jobs(JobQuery())).jobs == ()
        await fill(store, SOME)
        page = await store.list_jobs(JobQuery())
        assert ids(page.jobs) == ORDERS["created_at"]
        assert page.jobs[0] == SOME[0]
        assert page.cursor == ""

    @pytest.mark.parametrize(
        ("namespace", "found"),
        [
            ("red", ["j-b", "j-a"]),
            ("blue", ["j-e"]),
            ("", ORDERS["created_at"]),
            ("*", ORDERS["created_at"]),
            ("r%", []),
            ("Red", []),
        ],
    )
    async def test_a_namespace_hides_the_others(
        self, store: JobStore, namespace: str, found: list[str]
    ) -> None:
        await fill(store, SOME)
        for limit in (0, 1):
            query = JobQuery(namespace=namespace, limit=limit)
            listed = [job for page in await pages(store, query) for job in page.jobs]
            assert ids(listed) == found

    @pytest.mark.parametrize("reverse", [False, True])
    @pytest.mark.parametrize("order_by", list(ORDERS))
    async def test_a_rare_label_is_found_among_many_jobs(
        self, store: JobStore, order_by: str, reverse: bool
    ) -> None:
        jobs = [
            make_job(
                f"j-{number:04}",
                created=number,
                modified=number,
                namespace="even" if number % 2 == 0 else "odd",
                labels={"rank": "rare" if number % 150 == 0 else "usual"},
            )
            for number in range(MANY)
        ]
        await fill(store, jobs)
        rare = LabelSelectorRequirement(key="rank", operator="in", values=["rare"])
        query = JobQuery(
            namespace="even", labels=(rare,), order_by=order_by, reverse=reverse, limit=3
        )
        found = [ids(page.jobs) for page in await pages(store, query)]
        expected = ["j-0000", "j-0150", "j-0300", "j-0450"]
        if reverse:
            expected.reverse()
        assert found == [expected[:3], expected[3:]]
        everything = await store.list_jobs(JobQuery(order_by=order_by, reverse=reverse))
        assert ids(everything.jobs) == sorted(ids(jobs), reverse=reverse)

    async def test_new_jobs_do_not_shift_the_pages(self, store: JobStore) -> None:
        await fill(store, SOME)
        first = await store.list_jobs(JobQuery(limit=2))
        await submit(store, make_job("j-early", created=0))
        await submit(store, make_job("j-late", created=5))
        second = await store.list_jobs(JobQuery(limit=2, after=first.cursor))
        third = await store.list_jobs(JobQuery(limit=2, after=second.cursor))
        listed = [*first.jobs, *second.jobs, *third.jobs]
        assert ids(listed) == [*ORDERS["created_at"], "j-late"]

    async def test_a_changed_job_moves_to_its_new_place(self, store: JobStore) -> None:
        await fill(store, SOME)
        moved = make_job("j-a", 2, namespace="red", created=3, modified=10)
        await store.apply(JobChanges(job_id=moved.id, job=moved))
        query = JobQuery(order_by="modified_at", namespace="red")
        assert ids((await store.list_jobs(query)).jobs) == ["j-b", "j-a"]

    async def test_a_cursor_brings_its_order_and_limit_along(self, store: JobStore) -> None:
        await fill(store, SOME)
        asked = JobQuery(order_by="modified_at", reverse=True, limit=2)
        first = await store.list_jobs(asked)
        second = await store.list_jobs(JobQuery(after=first.cursor))
        assert ids(second.jobs) == ["j-b", "j-a"]
        third = await store.list_jobs(JobQuery(order_by="id", limit=9, after=second.cursor))
        assert ids(third.jobs) == ["j-d"]

    @pytest.mark.parametrize(
        "cursor",
        [
            "x",
            "!!!!",
            "é",
            "bm90IGpzb24",
            "created_at:N:10:10",
            token([]),
            token({"order_by": "id"}),
            token(["name", False, 1, [0, "j-1"]]),
            token(["id", False, 0, [0, "j-1"]]),
            token(["id", False, -1, [0, "j-1"]]),
            token(["id", False, 1, ["0", "j-1"]]),
            token(["id", False, 1, [2**63, "j-1"]]),
            token(["id", False, 1, [0, "j-1"], "more"]),
            token(["id", False, 1, [0, 1]]),
        ],
    )
    async def test_an_unreadable_cursor_is_the_callers_mistake(
        self, store: JobStore, cursor: str
    ) -> None:
        with pytest.raises(UserError, match="paging token") as caught:
            await store.list_jobs(JobQuery(after=cursor))
        assert caught.value.code == "BadRequest"
        assert caught.value.hint

    async def test_an_unknown_order_is_the_callers_mistake(self, store: JobStore) -> None:
        with pytest.raises(UserError, match="'name'") as caught:
            await store.list_jobs(JobQuery(order_by="name"))
        assert caught.value.code == "BadRequest"
        assert "modified_at" in caught.value.hint
