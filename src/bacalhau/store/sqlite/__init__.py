"""Both stores on SQLite: one file each, one process, whole transactions.

How it works: every write is a function over the connection. What has gathered while the disk was
busy runs as one transaction with one flush: the statements in the event loop's thread, the commit
in a thread of its own. A write that is refused is undone alone. Reads by key
happen at once on a connection of the event loop's thread; scans run in a thread of their own.
Readers never wait for the writer (WAL mode).
"""

from bacalhau.store.sqlite.executions import SQLiteExecutionStore
from bacalhau.store.sqlite.jobs import SQLiteJobStore

__all__ = ["SQLiteExecutionStore", "SQLiteJobStore"]
