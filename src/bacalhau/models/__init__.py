"""Records of the domain and the wire types of the API (spec api.md 1)."""

from bacalhau.models._naming import Model, api_name
from bacalhau.models.evaluation import Evaluation, EvaluationStatus, Trigger
from bacalhau.models.execution import RUN_OUTPUT_LIMIT_BYTES, Execution, RunOutput
from bacalhau.models.history import Event, HistoryType, JobHistory, Topic
from bacalhau.models.ids import EvaluationID, ExecutionID, JobID, NodeID, short_id
from bacalhau.models.job import (
    DEFAULT_NAMESPACE,
    RESERVED_META_PREFIX,
    InputSource,
    Job,
    LabelSelectorRequirement,
    NetworkConfig,
    NetworkType,
    ResultPath,
    SpecConfig,
    Task,
    TimeoutConfig,
)
from bacalhau.models.node import (
    BuildVersionInfo,
    ComputeNodeInfo,
    Connection,
    Membership,
    NodeInfo,
    NodeState,
    NodeType,
)
from bacalhau.models.params import ParamsModel
from bacalhau.models.resources import GPU, AllocatedResources, Resources, ResourcesConfig
from bacalhau.models.states import ComputeState, DesiredState, JobState, JobType, State

__all__ = [
    "DEFAULT_NAMESPACE",
    "GPU",
    "RESERVED_META_PREFIX",
    "RUN_OUTPUT_LIMIT_BYTES",
    "AllocatedResources",
    "BuildVersionInfo",
    "ComputeNodeInfo",
    "ComputeState",
    "Connection",
    "DesiredState",
    "Evaluation",
    "EvaluationID",
    "EvaluationStatus",
    "Event",
    "Execution",
    "ExecutionID",
    "HistoryType",
    "InputSource",
    "Job",
    "JobHistory",
    "JobID",
    "JobState",
    "JobType",
    "LabelSelectorRequirement",
    "Membership",
    "Model",
    "NetworkConfig",
    "NetworkType",
    "NodeID",
    "NodeInfo",
    "NodeState",
    "NodeType",
    "ParamsModel",
    "Resources",
    "ResourcesConfig",
    "ResultPath",
    "RunOutput",
    "SpecConfig",
    "State",
    "Task",
    "TimeoutConfig",
    "Topic",
    "Trigger",
    "api_name",
    "short_id",
]
