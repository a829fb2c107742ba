"""One error where task groups have made groups of it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bacalhau.errors import BacalhauError, Code, UserError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def one_error() -> Iterator[None]:
    """Raise what ends a node as one error that tells the cause.

    Raises:
        BacalhauError: one of ours comes before everything else. What the operating system refuses
            is told with the file that it concerns.
        Exception: the first of all, where there are only defects.
    """
    try:
        yield
    except (BaseExceptionGroup, OSError) as exc:
        cause = _told(_first(exc))
        if cause is exc:
            raise
        raise cause from exc


def _first(error: BaseException) -> BaseException:
    """Return the error that says most: one of ours, else the operating system's, else any."""
    leaves = list(_leaves(error))
    for kind in (BacalhauError, OSError, BaseException):
        for leaf in leaves:
            if isinstance(leaf, kind):
                return leaf
    raise AssertionError("a group has at least one error")


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error


def _told(error: BaseException) -> BaseException:
    if not isinstance(error, OSError) or error.filename is None:
        return error
    return UserError(
        f"{error.filename} cannot be used: {error.strerror}",
        code=Code.DISK,
        hint="see that the disk has room, that this program's user may write there, and that "
        "nothing else bears that name",
        component="DataDir",
        fields=["DataDir"],
    )
