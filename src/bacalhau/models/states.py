"""State enums and the record that carries a state (spec api.md 1.2, 1.10, 1.16).

Job states travel as text, execution states as integers.
"""

from __future__ import annotations

import enum
from typing import Generic, TypeVar

import msgspec

from bacalhau.models._naming import Model

E = TypeVar("E")


class JobType(enum.StrEnum):
    """What a job promises: run to the end (batch, ops) or for ever (service, daemon)."""

    BATCH = "batch"
    SERVICE = "service"
    DAEMON = "daemon"
    OPS = "ops"

    @property
    def is_long_running(self) -> bool:
        """True for jobs that never complete by themselves."""
        return self in (JobType.SERVICE, JobType.DAEMON)


class JobState(enum.StrEnum):
    """Where a job stands."""

    UNDEFINED = "Undefined"
    PENDING = "Pending"
    QUEUED = "Queued"
    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    STOPPED = "Stopped"

    @property
    def is_terminal(self) -> bool:
        """True for states that a job never leaves."""
        return self in _TERMINAL_JOB_STATES

    @classmethod
    def _missing_(cls, value: object) -> JobState:
        wanted = str(value).lower()
        return next((state for state in cls if state.value.lower() == wanted), cls.UNDEFINED)


_TERMINAL_JOB_STATES = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.STOPPED})


class ComputeState(enum.IntEnum):
    """What is known of an execution on its node."""

    UNDEFINED = 0
    NEW = 1
    ASK_FOR_BID = 2
    ASK_FOR_BID_ACCEPTED = 3
    ASK_FOR_BID_REJECTED = 4
    BID_ACCEPTED = 5
    RUNNING = 6
    PUBLISHING = 7
    BID_REJECTED = 8
    COMPLETED = 9
    FAILED = 10
    CANCELLED = 11

    @property
    def is_terminal(self) -> bool:
        """True for states that an execution never leaves."""
        return self in _TERMINAL_COMPUTE_STATES

    @property
    def is_discarded(self) -> bool:
        """True for executions that ended without a result."""
        return self.is_terminal and self is not ComputeState.COMPLETED

    @property
    def is_executing(self) -> bool:
        """True from the accepted bid to the end."""
        return self in _EXECUTING_STATES

    @property
    def title(self) -> str:
        """The name shown to people, such as ``AskForBidAccepted``."""
        return "".join(word.capitalize() for word in self.name.split("_"))


_TERMINAL_COMPUTE_STATES = frozenset(
    {
        ComputeState.ASK_FOR_BID_REJECTED,
        ComputeState.BID_REJECTED,
        ComputeState.COMPLETED,
        ComputeState.FAILED,
        ComputeState.CANCELLED,
    }
)
_EXECUTING_STATES = frozenset(
    {ComputeState.BID_ACCEPTED, ComputeState.RUNNING, ComputeState.PUBLISHING}
)


class DesiredState(enum.IntEnum):
    """What the orchestrator wants of an execution."""

    PENDING = 0
    RUNNING = 1
    STOPPED = 2

    @property
    def title(self) -> str:
        """The name shown to people."""
        return self.name.capitalize()


class State(Model, Generic[E], frozen=True, kw_only=True, omit_defaults=True):
    """A state with its explanation. Replaced as a unit: an old message never survives."""

    state_type: E
    message: str = ""
    details: dict[str, str] = msgspec.field(default_factory=dict)
