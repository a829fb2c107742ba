"""From what a user sent to what is stored (spec orchestration.md 2.1)."""

from __future__ import annotations

from msgspec.structs import replace

from bacalhau.lib.units import compact
from bacalhau.models.ids import JobID
from bacalhau.models.job import (
    DEFAULT_NAMESPACE,
    RESERVED_META_PREFIX,
    InputSource,
    Job,
    LabelSelectorRequirement,
    NetworkConfig,
    ResultPath,
    SpecConfig,
    Task,
)
from bacalhau.models.resources import ResourcesConfig
from bacalhau.models.states import JobState, JobType, State

_UNDEFINED = State[JobState](state_type=JobState.UNDEFINED)


def prepare(job: Job) -> tuple[Job, list[str]]:
    """Normalise and sanitise; return the job with warnings."""
    return sanitise(normalise(job))


def normalise(job: Job) -> Job:
    """Bring a job into its canonical form. Doing it twice changes nothing.

    Namespace and name are filled only where they are empty: blanks are an error, not a default.
    """
    count = job.count
    if job.type in (JobType.DAEMON, JobType.OPS) and count == 0:
        count = 1
    return replace(
        job,
        namespace=job.namespace or DEFAULT_NAMESPACE,
        name=job.name or job.id,
        count=count,
        constraints=[_constraint(requirement) for requirement in job.constraints],
        tasks=[_task(task) for task in job.tasks],
    )


def sanitise(job: Job) -> tuple[Job, list[str]]:
    """Drop what users may not set; return the job with a warning for each."""
    warnings = [
        f"job {name} is ignored when submitting a job"
        for name, is_set in (
            ("state", job.state != _UNDEFINED),
            ("revision", job.revision != 0),
            ("version", job.version != 0),
            ("create time", job.create_time != 0),
            ("modify time", job.modify_time != 0),
        )
        if is_set
    ]
    job_id = job.id
    if job_id and not job.type.is_long_running:
        warnings.append(f"job ID is ignored when submitting a {job.type} job")
        job_id = JobID("")
    meta = {}
    for key, value in job.meta.items():
        if key.startswith(RESERVED_META_PREFIX):
            warnings.append(f'job meta key "{key}" is reserved and will be ignored')
        else:
            meta[key] = value
    sanitised = replace(
        job,
        id=job_id,
        name="" if job.name == job.id != job_id else job.name,
        state=_UNDEFINED,
        version=0,
        revision=0,
        create_time=0,
        modify_time=0,
        meta=meta,
    )
    return sanitised, warnings


def _task(task: Task) -> Task:
    return replace(
        task,
        engine=_spec(task.engine),
        publisher=_spec(task.publisher),
        input_sources=[_input(source) for source in task.input_sources],
        result_paths=[_result_path(result) for result in task.result_paths],
        resources=_resources(task.resources),
        network=_network(task.network),
    )


def _spec(spec: SpecConfig) -> SpecConfig:
    return replace(spec, type=spec.type.strip())


def _input(source: InputSource) -> InputSource:
    return replace(
        source,
        source=_spec(source.source),
        alias=source.alias.strip(),
        target=source.target.strip(),
    )


def _result_path(result: ResultPath) -> ResultPath:
    # The documentation writes `Name: /outputs` (spec corrections.md 19).
    return replace(result, name=result.name.strip().removeprefix("/"), path=result.path.strip())


def _resources(resources: ResourcesConfig) -> ResourcesConfig:
    return ResourcesConfig(
        cpu=compact(resources.cpu),
        memory=compact(resources.memory),
        disk=compact(resources.disk),
        gpu=compact(resources.gpu),
    )


def _network(network: NetworkConfig) -> NetworkConfig:
    return replace(network, domains=[domain.strip().lower() for domain in network.domains])


def _constraint(requirement: LabelSelectorRequirement) -> LabelSelectorRequirement:
    return replace(requirement, key=requirement.key.strip(), operator=requirement.operator.strip())
