"""Judging engines, sources and publishers of a job before it is accepted.

The types known here are judged by their own plug-ins. Types that only some node may know pass; the
scheduler finds out whether any node offers them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bacalhau.errors import ValidationError
from bacalhau.models import JobType
from bacalhau.models.decode import decode_params
from bacalhau.models.params import ParamsModel
from bacalhau.models.problems import Problem, raise_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bacalhau.models import Job, SpecConfig
    from bacalhau.ports import Engine, Publisher, Source


class Checks(NamedTuple):
    """The plug-ins that can judge parameters, by type in lower case."""

    engines: Mapping[str, type[Engine]]
    sources: Mapping[str, type[Source]]
    publishers: Mapping[str, type[Publisher]]

    def run(self, job: Job) -> list[str]:
        """Judge all parameters of a job and return warnings.

        Raises:
            ValidationError: with every problem of every part, and the paths of its fields.
        """
        warnings: list[str] = []
        problems: list[Problem] = []
        for path, plugin, spec in self._parts(job):
            try:
                warnings.extend(plugin.check(spec))
            except ValidationError as exc:
                problems.extend(_located(path, exc))
        raise_for(problems)
        if job.task.publisher.kind in self.publishers:
            warnings.extend(_overwriting(job))
        return warnings

    def _parts(
        self, job: Job
    ) -> Iterator[tuple[str, type[Engine | Source | Publisher], SpecConfig]]:
        task = job.task
        engine = self.engines.get(task.engine.kind)
        if engine is not None:
            yield "Tasks[0].Engine", engine, task.engine
        for index, item in enumerate(task.input_sources):
            source = self.sources.get(item.source.kind)
            if source is not None:
                yield f"Tasks[0].InputSources[{index}].Source", source, item.source
        publisher = self.publishers.get(task.publisher.kind)
        if publisher is not None:
            yield "Tasks[0].Publisher", publisher, task.publisher


def _located(path: str, error: ValidationError) -> Iterator[Problem]:
    """Yield what a plug-in found, each line with its field where there is one for each."""
    lines = error.message.split("\n")
    if len(lines) != len(error.fields):
        yield Problem(path, error.message, error.hint)
        return
    for line, field in zip(lines, error.fields, strict=True):
        yield Problem(f"{path}.{field}", line, error.hint)


class _KeyTemplate(ParamsModel, frozen=True, kw_only=True):
    key: str = ""
    encoding: str = ""


def _overwriting(job: Job) -> Iterator[str]:
    """Warn where several executions publish under one key (spec storage.md 7.3)."""
    publisher = job.task.publisher
    if publisher.kind != "s3":
        return
    template = decode_params(_KeyTemplate, publisher)
    # A key that ends in a slash is completed with the execution's id, if it is that of an archive.
    is_completed = template.key.endswith("/") and template.encoding.lower() != "plain"
    if is_completed or "{executionID}" in template.key:
        return
    beginning = f'publisher s3: Key "{template.key}" has no {{executionID}}'
    if job.type is JobType.OPS and "{nodeID}" not in template.key:
        yield f"{beginning} and no {{nodeID}}, so the results of all nodes overwrite each other"
    elif job.type is not JobType.OPS and job.count > 1:
        yield f"{beginning}, so the results of {job.count} executions overwrite each other"
