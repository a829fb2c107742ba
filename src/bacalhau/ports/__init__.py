"""The seams: what the domain needs of the world outside, as Protocols."""

from bacalhau.lifecycle.changes import HistoryDraft, JobChanges, JobSnapshot
from bacalhau.ports.cache import CacheFill, CacheOrder, InputCache
from bacalhau.ports.engine import Engine, OutputSink, Stream, TaskExit, TaskRun
from bacalhau.ports.plugin import Plugin, PluginContext, Volume
from bacalhau.ports.publisher import (
    Published,
    PublishedFile,
    Publisher,
    PublishProgress,
    ResultSigner,
    SelectivePublisher,
)
from bacalhau.ports.runtime import Clock, Ids, Random
from bacalhau.ports.source import (
    WHOLE,
    Fetched,
    InputPlan,
    LocalPresence,
    Partition,
    PlannedObject,
    Source,
)
from bacalhau.ports.store import (
    ExecutionStore,
    JobPage,
    JobQuery,
    JobStore,
    LocalChanges,
    LocalExecution,
    WholeJob,
)
from bacalhau.ports.transport import Endpoint, Transport

__all__ = [
    "WHOLE",
    "CacheFill",
    "CacheOrder",
    "Clock",
    "Endpoint",
    "Engine",
    "ExecutionStore",
    "Fetched",
    "HistoryDraft",
    "Ids",
    "InputCache",
    "InputPlan",
    "JobChanges",
    "JobPage",
    "JobQuery",
    "JobSnapshot",
    "JobStore",
    "LocalChanges",
    "LocalExecution",
    "LocalPresence",
    "OutputSink",
    "Partition",
    "PlannedObject",
    "Plugin",
    "PluginContext",
    "PublishProgress",
    "Published",
    "PublishedFile",
    "Publisher",
    "Random",
    "ResultSigner",
    "SelectivePublisher",
    "Source",
    "Stream",
    "TaskExit",
    "TaskRun",
    "Transport",
    "Volume",
    "WholeJob",
]
