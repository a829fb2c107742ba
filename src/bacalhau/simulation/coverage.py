"""Which kinds of things happened in a simulation, told by its trace.

A promise that is kept says little when nothing put it to the test. So every run counts what its
seeds have reached, and tests hold the mix to what the documentation claims.
"""

from __future__ import annotations

import enum
import re
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable


class Feature(enum.StrEnum):
    """Something that happens in a cluster, each with the trace of it."""

    pattern: re.Pattern[str]

    def __new__(cls, name: str, pattern: str) -> Self:
        """Make a member of its name in reports, and the pattern of a line that shows it."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.pattern = re.compile(pattern)
        return member

    BATCH = "batch jobs run", " batch Running p"
    OPS = "ops jobs run", " ops Running p"
    SERVICE = "services run", " service Running p"
    DAEMON = "daemons run", " daemon Running p"
    PRIORITY = "jobs of higher priority wait for room", " Queued p[1-9]"
    REFUSED = "submissions are refused", "client: .* is refused"
    UNANSWERED = "submissions get no answer", "client: nobody knows"
    STOP = "jobs are stopped", "client: .* is stopped"
    STOP_RUNNING = "executions of stopped jobs are cancelled", "because job has been stopped"
    RETRY = "failed executions are tried again", "after a failure"
    RETRIED_OUT = "jobs fail after too many attempts", "retried too many times"
    EXECUTION_TIMEOUT = "executions run out of time", "'Execution timed out after"
    JOB_TIMEOUT = "jobs run out of time", "'Job timed out"
    NODE_LOST = "nodes are lost", "log warning node_lost"
    EXECUTION_LOST = "executions are lost with their node", "because node has disappeared"
    NODE_GONE = "nodes die for good", " n-. dies for good"
    NODE_DIES = "nodes are killed", " n-. dies"
    ORCHESTRATOR_DIES = "the orchestrator is killed", " orchestrator dies"
    NODE_RESTARTS = "nodes restart in good order", " n-. is told to restart"
    ORCHESTRATOR_RESTARTS = "the orchestrator restarts", " orchestrator is told to restart"
    NODE_CUT = "nodes die at a write", " n-.: dies at a write"
    ORCHESTRATOR_CUT = "the orchestrator dies at a write", " orchestrator: dies at a write"
    TASK_JOINED = "tasks outlive their node's process", " joins task "
    NODE_DISK_FULL = "disks of nodes are full", " n-.: disk is full"
    NODE_DISK_FAILS = "writes of nodes fail", " n-.: disk is failing"
    NODE_SYNC_FAILS = "syncs of nodes fail", " n-.: disk is unsynced"
    NODE_GHOST = "failed writes of nodes show up", " n-.: a write that had failed"
    ORCHESTRATOR_DISK_FULL = "the orchestrator's disk is full", " orchestrator: disk is full"
    ORCHESTRATOR_DISK_FAILS = "the orchestrator's writes fail", " orchestrator: disk is failing"
    ORCHESTRATOR_SYNC_FAILS = "the orchestrator's syncs fail", " orchestrator: disk is unsynced"
    ORCHESTRATOR_GHOST = (
        "failed writes of the orchestrator show up",
        " orchestrator: a write that had failed",
    )
    CLOCK_BACK = "the orchestrator's clock is set back", " orchestrator puts its clock back"
    CLOCK_FORWARD = "the orchestrator's clock is put forward", " orchestrator puts its clock on"
    NODE_CLOCK = "clocks of nodes are set", " n-. puts its clock"
    ISOLATED = "peers are cut off", "fault: (isolate|mute|deafen)"
    LOSS = "messages are lost", r" lose \S+->\S+ [^:\n]*\n"
    DOUBLED = "messages arrive twice", " copies=2"
    AWAITED = "jobs wait for a node that has their inputs", "'Job queued. waiting up to"
    STRAY = "strays are cancelled", "execution_cancelled_as_stray"


def reached(lines: Iterable[str]) -> frozenset[Feature]:
    """Return what a trace shows."""
    text = "\n".join(lines)
    return frozenset(feature for feature in Feature if feature.pattern.search(text))


def table(counts: Counter[Feature], seeds: int) -> str:
    """Return one line for each feature: in how many of the seeds it was reached."""
    return "\n".join(
        f"{counts[feature]:6} of {seeds}  {feature}"
        for feature in sorted(Feature, key=lambda each: -counts[each])
    )
