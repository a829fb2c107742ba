"""How many files a node may have open."""

from __future__ import annotations

import resource

_ENOUGH = 65_536


def allow_many_files() -> None:
    """Raise the limit of this process to what the system lets it have without being asked.

    Shells and service managers start programs with 1,024, for the sake of old ones that fail with
    more. A node has a file open for each connection, log and task.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else min(hard, _ENOUGH)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
