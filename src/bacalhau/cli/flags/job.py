"""The flags that describe a job, and the job they describe (spec cli.md 9.2, 9.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bacalhau.cli.flag import Flag
from bacalhau.cli.flags.inputs import number_aliases, read_input
from bacalhau.cli.flags.outputs import read_output
from bacalhau.cli.flags.publisher import read_publisher
from bacalhau.cli.values import INT, INT64, STRING, STRING_ARRAY, STRINGS, Kind, each
from bacalhau.errors import UserError
from bacalhau.models.job import (
    Job,
    LabelSelectorRequirement,
    NetworkConfig,
    NetworkType,
    ResultPath,
    SpecConfig,
    Task,
    TimeoutConfig,
)
from bacalhau.models.resources import ResourcesConfig
from bacalhau.models.selectors import parse_selector, validate_requirement
from bacalhau.models.states import JobType

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_OUTPUTS = ResultPath(name="outputs", path="/outputs")


def _read_target(text: str) -> JobType:
    if text not in ("any", "all"):
        raise ValueError(f'expecting "any" or "all", not "{text}"')
    return JobType.OPS if text == "all" else JobType.BATCH


def _read_network(text: str) -> NetworkType:
    wanted = text.strip().lower()
    for network in NetworkType:
        if network.lower() == wanted:
            return network
    raise ValueError(f"models.Network: unknown type '{text}'. Write None, Full or HTTP")


JOB_FLAGS = (
    Flag("name", STRING, "", "Name of the job; its id when empty."),
    Flag("namespace", STRING, "default", "Namespace of the job."),
    Flag("priority", INT, 0, "Jobs of higher priority go first."),
    Flag("count", INT, 1, "How many executions to run."),
    Flag("concurrency", INT, 1, "How many executions to run.", deprecated="use --count"),
    Flag(
        "target",
        Kind("all|any", _read_target),
        JobType.BATCH,
        'Run on "any" suitable node, or on "all" of them. (default any)',
        shows_default=False,
    ),
    Flag("constraints", STRING, "", "Run on nodes whose labels meet this selector."),
    Flag("selector", STRING, "", "As --constraints.", short="s", deprecated="use --constraints"),
    Flag("labels", STRINGS, [], "Labels of the job, as key=value or key.", short="l"),
)
TASK_FLAGS = (
    Flag("task-name", STRING, "main", "Name of the task."),
    Flag(
        "input",
        each("storage", read_input),
        [],
        "Data for the task; may be repeated. URI[:PATH] or src=URI,dst=PATH[,opt=KEY=VALUE].\n"
        "URIs start with s3://, https://, http://, ipfs:// or file://",
        short="i",
    ),
    Flag(
        "output",
        each("ResultPath", read_output),
        [],
        "A directory to publish, as NAME:PATH; may be repeated.",
        short="o",
    ),
    Flag(
        "publisher",
        Kind("publisher", read_publisher),
        None,
        "Where results go: local, ipfs, or s3://BUCKET/KEY[,opt=KEY=VALUE].",
        short="p",
    ),
    Flag("cpu", STRING, "", "CPU cores, such as 0.5 or 500m."),
    Flag("memory", STRING, "", "Memory, such as 500Mb, 2Gb or 8Gi."),
    Flag("disk", STRING, "", "Disk space, such as 500Mb, 2Gb or 8Gi."),
    Flag("gpu", STRING, "", "Number of GPUs."),
    Flag(
        "network",
        Kind("network-type", _read_network),
        NetworkType.NONE,
        "What of the network the task reaches: None, HTTP or Full.",
    ),
    Flag("domain", STRING_ARRAY, [], "A domain that the HTTP network allows; may be repeated."),
    Flag("timeout", INT64, 0, "Seconds after which the job is given up; 0: never."),
    Flag("queue-timeout", INT64, 0, "Seconds the job may wait for a suitable node."),
)


def build_job(
    engine: SpecConfig, options: Mapping[str, Any], given: Collection[str]
) -> tuple[Job, list[str]]:
    """Return the job that flags describe, with warnings; ``given`` are the flags actually used.

    Raises:
        UserError: flags that exclude each other, labels or constraints that are malformed.
    """
    _refuse_both(given, "count", "concurrency")
    _refuse_both(given, "selector", "constraints")
    publisher, warnings = options["publisher"] or (SpecConfig(), [])
    task = Task(
        name=options["task_name"],
        engine=engine,
        publisher=publisher,
        input_sources=number_aliases(options["input"]),
        result_paths=_result_paths(options["output"], publisher),
        resources=ResourcesConfig(
            cpu=options["cpu"],
            memory=options["memory"],
            disk=options["disk"],
            gpu=options["gpu"],
        ),
        network=NetworkConfig(
            type=options["network"],
            domains=[domain.strip().lower() for domain in options["domain"]],
        ),
        timeouts=TimeoutConfig(
            total_timeout=options["timeout"], queue_timeout=options["queue_timeout"]
        ),
    )
    job = Job(
        name=options["name"],
        namespace=options["namespace"],
        type=options["target"],
        priority=options["priority"],
        count=options["concurrency" if "concurrency" in given else "count"],
        constraints=_constraints(options["constraints"] or options["selector"]),
        labels=_labels(options["labels"]),
        tasks=[task],
    )
    return job, warnings


def _refuse_both(given: Collection[str], one: str, other: str) -> None:
    if one in given and other in given:
        pair = " ".join(sorted((one, other)))
        raise UserError(
            f"if any flags in the group [{one} {other}] are set none of the others can be; "
            f"[{pair}] were all set",
            component="CLI",
        )


def _result_paths(outputs: list[ResultPath], publisher: SpecConfig) -> list[ResultPath]:
    """Add ``outputs:/outputs`` where results are published (spec engines.md 1.3)."""
    taken = any(
        output.path.rstrip("/") == _OUTPUTS.path or output.name == _OUTPUTS.name
        for output in outputs
    )
    return outputs if publisher.is_empty or taken else [*outputs, _OUTPUTS]


def _constraints(selector: str) -> list[LabelSelectorRequirement]:
    try:
        return parse_selector(selector)
    except UserError as exc:
        raise UserError(
            f"failed to parse job constraints: failed to parse node selector: {exc.message}",
            hint=exc.hint,
            component="CLI",
        ) from exc


def _labels(texts: Iterable[str]) -> dict[str, str]:
    pairs = (text.partition("=") for text in texts)
    labels = {key: value for key, _, value in pairs}
    problems = [
        problem
        for key, value in labels.items()
        for problem in validate_requirement(
            LabelSelectorRequirement(key=key, operator="=", values=[value])
        )
    ]
    if problems:
        raise UserError(
            "received invalid job labels: " + "; ".join(problems),
            hint="keys and values are up to 63 letters, digits, dashes, dots and underscores",
            component="CLI",
        )
    return labels
