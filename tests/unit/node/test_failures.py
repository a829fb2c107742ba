"""What is told when a node ends with errors in its task groups."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from bacalhau.errors import Code, TransientError, UserError
from bacalhau.node.failures import one_error

if TYPE_CHECKING:
    from pathlib import Path


def grouped(*errors: Exception) -> ExceptionGroup[Exception]:
    return ExceptionGroup("outer", [ExceptionGroup("inner", [error]) for error in errors])


def told(error: Exception) -> BaseException:
    with pytest.raises(Exception) as caught, one_error():
        raise error
    return caught.value


def test_an_error_of_ours_comes_before_what_followed_from_it() -> None:
    ours = TransientError("the cause")
    assert told(grouped(KeyError("x"), ours)) is ours
    assert told(ours) is ours


def test_a_defect_is_told_as_itself_and_not_as_a_group() -> None:
    defect = KeyError("x")
    assert told(grouped(defect)) is defect


def test_what_the_system_refuses_is_told_with_its_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    refused = OSError(errno.ENOTDIR, "Not a directory", str(file))
    for error in (refused, grouped(refused)):
        found = told(error)
        assert isinstance(found, UserError)
        assert found.code is Code.DISK
        assert str(file) in found.message
        assert "Not a directory" in found.message
        assert found.hint


def test_an_error_of_the_system_without_a_file_is_left_alone() -> None:
    refused = OSError(errno.EMFILE, "Too many open files")
    assert told(refused) is refused
