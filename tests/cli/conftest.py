"""A server for the commands of this folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.cli import ServedApi, served_api

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[ServedApi]:
    """A server without any job."""
    with served_api() as served:
        yield served
