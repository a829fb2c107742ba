"""The job as users write it and as the API shows it (spec api.md 1.1 to 1.9)."""

from __future__ import annotations

import enum
from typing import Any

import msgspec

from bacalhau.models._naming import Model, always, always_dict, always_list
from bacalhau.models.ids import JobID
from bacalhau.models.resources import ResourcesConfig
from bacalhau.models.states import JobState, JobType, State

DEFAULT_NAMESPACE = "default"
RESERVED_META_PREFIX = "bacalhau.org/"


class SpecConfig(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A type name with parameters: an engine, a source, a publisher or a result."""

    type: str = always("")
    params: dict[str, Any] = msgspec.field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The type as it is compared: lower case, without blanks around it."""
        return self.type.strip().lower()

    @property
    def is_empty(self) -> bool:
        """True when neither type nor parameters are given."""
        return not self.kind and not self.params


class InputSource(Model, frozen=True, kw_only=True):
    """Data that a task reads: where it comes from, and where the task finds it."""

    source: SpecConfig
    alias: str = always("")
    target: str = always("")


class ResultPath(Model, frozen=True, kw_only=True):
    """A directory of the task that is published under a name."""

    name: str = always("")
    path: str = always("")


class NetworkType(enum.StrEnum):
    """What of the network a task reaches."""

    NONE = "None"
    FULL = "Full"
    HTTP = "HTTP"

    @classmethod
    def _missing_(cls, value: object) -> NetworkType | None:
        wanted = str(value).strip().lower()
        return next((member for member in cls if member.value.lower() == wanted), None)


class NetworkConfig(Model, frozen=True, kw_only=True, omit_defaults=True):
    """A task's network; domains only limit the HTTP type."""

    type: NetworkType = always(NetworkType.NONE)
    domains: list[str] = msgspec.field(default_factory=list)


class TimeoutConfig(Model, frozen=True, kw_only=True, omit_defaults=True):
    """Limits in whole seconds; 0 means none (spec api.md 1.8)."""

    execution_timeout: int = 0
    queue_timeout: int = 0
    total_timeout: int = 0

    @property
    def effective_execution_timeout(self) -> int:
        """Seconds an execution may take: its own limit, else the job's total."""
        return self.execution_timeout or self.total_timeout


class Task(Model, frozen=True, kw_only=True, omit_defaults=True):
    """One unit of work. A job has exactly one."""

    name: str = always("")
    engine: SpecConfig
    publisher: SpecConfig = msgspec.field(default_factory=SpecConfig)
    env: dict[str, str] = msgspec.field(default_factory=dict)
    meta: dict[str, str] = msgspec.field(default_factory=dict)
    input_sources: list[InputSource] = msgspec.field(default_factory=list)
    result_paths: list[ResultPath] = msgspec.field(default_factory=list)
    resources: ResourcesConfig = msgspec.field(default_factory=ResourcesConfig)
    network: NetworkConfig = msgspec.field(default_factory=NetworkConfig)
    timeouts: TimeoutConfig = msgspec.field(default_factory=TimeoutConfig)


class LabelSelectorRequirement(Model, frozen=True, kw_only=True, omit_defaults=True):
    """One condition on labels (spec api.md 1.9)."""

    key: str = always("")
    operator: str = always("")
    values: list[str] = msgspec.field(default_factory=list)


def _pending() -> State[JobState]:
    return State[JobState](state_type=JobState.UNDEFINED)


class Job(Model, frozen=True, kw_only=True):
    """A job: what to run, how often, and where it stands.

    ``create_time`` and ``modify_time`` are nanoseconds since 1970, UTC. ``revision`` starts at 1
    and grows by one with every stored change.
    """

    id: JobID = always("")
    name: str = always("")
    namespace: str = always("")
    type: JobType
    priority: int = always(0)
    count: int = always(0)
    constraints: list[LabelSelectorRequirement] = always_list()
    meta: dict[str, str] = always_dict()
    labels: dict[str, str] = always_dict()
    tasks: list[Task] = always_list()
    state: State[JobState] = msgspec.field(default_factory=_pending)
    version: int = always(0)
    revision: int = always(0)
    create_time: int = always(0)
    modify_time: int = always(0)

    @property
    def task(self) -> Task:
        """The job's only task."""
        return self.tasks[0]

    @property
    def partition_count(self) -> int:
        """Into how many parts executions divide the work; 1 where each node does all of it."""
        is_counted = self.type in (JobType.BATCH, JobType.SERVICE)
        return max(1, self.count) if is_counted else 1

    @property
    def is_terminal(self) -> bool:
        """True when the job's state will never change again."""
        return self.state.state_type.is_terminal
