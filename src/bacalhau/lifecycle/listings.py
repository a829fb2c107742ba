"""Inputs that the executions of a job divide as a whole (spec storage.md 9.1).

Where the part of one depends on all there is, as with ``balanced``, all have to have seen the same;
else something would be read twice, or never. So the first execution that tells the digest of its
listing settles it, for as long as the work of any execution that goes by it counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.errors import Code, UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from bacalhau.errors import BacalhauError
    from bacalhau.lifecycle.completed import Completed
    from bacalhau.models import Execution


def settled(completed: Completed, others: Iterable[Execution]) -> dict[str, str]:
    """Return the digests by target that an execution has to go by, given the others of its job."""
    found = dict(completed.listings)
    for run in others:
        if run.listings and not run.is_terminal:
            for target, digest in run.listings.items():
                found.setdefault(target, digest)
    return found


def contradiction(known: Mapping[str, str], told: Mapping[str, str]) -> BacalhauError | None:
    """Return an error if a listing that was told is not the one that is known."""
    for target, digest in sorted(told.items()):
        if known.get(target, digest) != digest:
            return UserError(
                f'the input for "{target}" has changed since the job began: its objects are '
                "divided among all executions, which must have listed the same ones",
                code=Code.LISTING_CHANGED,
                component="InputSources",
                hint="run the job again; or divide by object, regex, substring or date, which do "
                "not depend on the whole listing",
            )
    return None
