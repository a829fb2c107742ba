"""Both stores on SQLite: one file each, one process, whole transactions.

How it works: every write is a function over the connection, queued to one writer thread, which runs
what has gathered as one transaction with one flush to disk. A write that is refused is undone alone
by its savepoint. Reads of one record happen at once on a connection of the event loop's thread;
scans run in a thread of their own. Readers never wait for the writer (WAL mode).
"""

from bacalhau.store.sqlite.executions import SQLiteExecutionStore
from bacalhau.store.sqlite.jobs import SQLiteJobStore

__all__ = ["SQLiteExecutionStore", "SQLiteJobStore"]
