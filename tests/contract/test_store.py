"""The stores and their fakes, held to the contracts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from bacalhau.store.sqlite import SQLiteExecutionStore, SQLiteJobStore
from bacalhau.testing.contracts.store import (
    DurableExecutionStoreContract,
    DurableJobStoreContract,
    ExecutionStoreContract,
    JobStoreContract,
)
from bacalhau.testing.store_memory import MemoryExecutionStore, MemoryJobStore

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from bacalhau.ports import ExecutionStore, JobStore
    from bacalhau.testing.contracts.store import OpenExecutionStore, OpenJobStore


class TestMemoryJobStore(JobStoreContract):
    @pytest.fixture
    def store(self) -> JobStore:
        return MemoryJobStore()


class TestMemoryExecutionStore(ExecutionStoreContract):
    @pytest.fixture
    def store(self) -> ExecutionStore:
        return MemoryExecutionStore()


class TestSQLiteJobStore(JobStoreContract, DurableJobStoreContract):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> OpenJobStore:
        return partial(SQLiteJobStore.open, tmp_path / "jobs.db")

    @pytest.fixture
    async def store(self, reopen: OpenJobStore) -> AsyncIterator[JobStore]:
        async with reopen() as store:
            yield store


class TestSQLiteExecutionStore(ExecutionStoreContract, DurableExecutionStoreContract):
    @pytest.fixture
    def reopen(self, tmp_path: Path) -> OpenExecutionStore:
        return partial(SQLiteExecutionStore.open, tmp_path / "executions.db")

    @pytest.fixture
    async def store(self, reopen: OpenExecutionStore) -> AsyncIterator[ExecutionStore]:
        async with reopen() as store:
            yield store
