"""What a job must fulfil (spec api.md 1, orchestration.md 2.2, storage.md 1.2, engines.md 1.3).

Jobs are judged in their normal form, but for what that form no longer tells. Texts that v1.5.2 is
known to say are said in the same words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bacalhau.models._task_rules import stored_task_problems, task_problems
from bacalhau.models.problems import Problem, raise_for
from bacalhau.models.selectors import (
    LABEL_RULE,
    can_be_key,
    can_be_value,
    requirement_problems,
)
from bacalhau.models.states import JobType
from bacalhau.models.submission import normalise

if TYPE_CHECKING:
    from bacalhau.models.job import Job

__all__ = [
    "Problem",
    "blank_publishers",
    "raise_for",
    "validate_stored",
    "validate_submission",
]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ID_RULE = (
    "an id has up to 128 letters, digits, dots, dashes and underscores, "
    "and starts with a letter or a digit"
)
_MAX_TEXT_BYTES = 256
_MAX_LABELS = 64
MAX_COUNT = 10_000
"""Executions of one job: each is looked at with every step of every other."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def validate_submission(job: Job) -> list[Problem]:
    """Return what is wrong with a job as a user sent it; system fields are not looked at.

    It must not have been normalised before: a blank publisher would be none then.
    """
    return [*blank_publishers(job), *_normal_problems(normalise(job))]


def blank_publishers(job: Job) -> list[Problem]:
    """Return a problem for every publisher that is blank, which in normal form is none."""
    return [
        Problem(
            f"Tasks[{index}].Publisher.Type",
            f"task {task.name} validation failed: publisher validation failed: "
            f"the type is blank: {task.publisher.type!r}",
            "name a publisher, such as local, or leave out Publisher",
        )
        for index, task in enumerate(job.tasks)
        if task.publisher.type and not task.publisher.kind
    ]


def _normal_problems(job: Job) -> list[Problem]:
    problems = [*_text_problems(job), *_count_problems(job), *_label_problems(job)]
    for index, requirement in enumerate(job.constraints):
        problems.extend(
            Problem(
                f"Constraints[{index}].{problem.path}",
                f"constraint {index + 1} validation failed: {problem.message}",
                problem.hint,
            )
            for problem in requirement_problems(requirement)
        )
    if not job.tasks:
        problems.append(Problem("Tasks", "missing job tasks"))
    elif len(job.tasks) > 1:
        text = f"only one task is supported per job, got {len(job.tasks)}"
        problems.append(Problem("Tasks", text, "submit a job for each task"))
    for index, task in enumerate(job.tasks):
        problems.extend(task_problems(task, f"Tasks[{index}]"))
    return problems


def _count_problems(job: Job) -> list[Problem]:
    if job.count < 0:
        return [
            Problem(
                "Count",
                f"job count must be >= 0, got {job.count}",
                "Count is how many executions to run",
            )
        ]
    if job.count > MAX_COUNT:
        return [
            Problem(
                "Count",
                f"job count must be at most {MAX_COUNT}, got {job.count}",
                "give each execution more of the work, or submit several jobs",
            )
        ]
    if job.type is JobType.DAEMON and job.count > 1:
        return [
            Problem(
                "Count",
                f"job count must be 1 for a daemon job, got {job.count}",
                "leave out Count: a daemon runs once on every node that fits",
            )
        ]
    return []


def validate_stored(job: Job) -> list[Problem]:
    """Return what is wrong with a job that is about to be stored: all rules there are."""
    job = normalise(job)
    problems = _normal_problems(job)
    if not job.id.strip():
        problems.append(Problem("ID", "missing job ID"))
    elif not _ID.fullmatch(job.id):
        problems.append(Problem("ID", f"invalid job ID: {job.id[:128]!r}", _ID_RULE))
    if not job.name.strip():
        problems.append(Problem("Name", "missing job name"))
    if not job.namespace.strip():
        problems.append(Problem("Namespace", "missing job namespace"))
    for index, task in enumerate(job.tasks):
        problems.extend(stored_task_problems(task, f"Tasks[{index}]"))
    return problems


def _text_problems(job: Job) -> list[Problem]:
    problems = []
    for path, text in (("Name", job.name), ("Namespace", job.namespace)):
        reason = _unfit(text)
        if reason:
            problems.append(Problem(path, f"job {path.lower()} {reason}"))
    words = job.namespace.split()
    if words and words != [job.namespace] and not _CONTROL.search(job.namespace):
        problems.append(
            Problem(
                "Namespace",
                f"job namespace contains a blank: {job.namespace[:64]!r}",
                "join the words with a dash, such as my-team",
            )
        )
    return problems


def _label_problems(job: Job) -> list[Problem]:
    problems = []
    if len(job.labels) > _MAX_LABELS:
        problems.append(Problem("Labels", f"job has more than {_MAX_LABELS} labels"))
    for key, value in job.labels.items():
        for what, text, fits in (("key", key, can_be_key), ("value", value, can_be_value)):
            if not fits(text):
                message = f"invalid label {what}: {text[:64]!r}"
                problems.append(Problem(f"Labels[{key[:64]!r}]", message, LABEL_RULE))
    return problems


def _unfit(text: str) -> str:
    """Return why a name cannot be kept (spec security.md T-J18), or an empty text."""
    if _CONTROL.search(text):
        return "contains a null byte or another control character"
    if len(text.encode()) > _MAX_TEXT_BYTES:
        return f"is longer than {_MAX_TEXT_BYTES} bytes"
    return ""
