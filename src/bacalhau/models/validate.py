"""What a job must fulfil (spec api.md 1, orchestration.md 2.2, storage.md 1.2, engines.md 1.3).

Jobs are judged in their normal form. Texts that v1.5.2 is known to say are said in the same words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bacalhau.models._task_rules import stored_task_problems, task_problems
from bacalhau.models.problems import Problem, raise_for
from bacalhau.models.selectors import validate_requirement
from bacalhau.models.submission import normalise

if TYPE_CHECKING:
    from bacalhau.models.job import Job

__all__ = ["Problem", "raise_for", "validate_stored", "validate_submission"]

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_ID_RULE = (
    "an id has up to 128 letters, digits, dots, dashes and underscores, "
    "and starts with a letter or a digit"
)
_MAX_TEXT_BYTES = 256
_MAX_LABELS = 64
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def validate_submission(job: Job) -> list[Problem]:
    """Return what is wrong with a job as a user sent it; system fields are not looked at."""
    job = normalise(job)
    problems = [*_text_problems(job), *_label_problems(job)]
    if job.count < 0:
        problems.append(Problem("Count", f"job count must be >= 0, got {job.count}"))
    for index, requirement in enumerate(job.constraints):
        problems.extend(
            Problem(f"Constraints[{index}]", f"constraint {index + 1} validation failed: {reason}")
            for reason in validate_requirement(requirement)
        )
    if not job.tasks:
        problems.append(Problem("Tasks", "missing job tasks"))
    for index, task in enumerate(job.tasks):
        problems.extend(task_problems(task, f"Tasks[{index}]"))
    return problems


def validate_stored(job: Job) -> list[Problem]:
    """Return what is wrong with a job that is about to be stored: all rules there are."""
    job = normalise(job)
    problems = validate_submission(job)
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
    return problems


def _label_problems(job: Job) -> list[Problem]:
    problems = []
    if len(job.labels) > _MAX_LABELS:
        problems.append(Problem("Labels", f"job has more than {_MAX_LABELS} labels"))
    for key, value in job.labels.items():
        for what, text in (("key", key), ("value", value)):
            reason = _unfit(text)
            if reason:
                problems.append(Problem(f"Labels[{key[:64]!r}]", f"label {what} {reason}"))
    return problems


def _unfit(text: str) -> str:
    """Return why a name cannot be kept (spec security.md T-J18), or an empty text."""
    if _CONTROL.search(text):
        return "contains a null byte or another control character"
    if len(text.encode()) > _MAX_TEXT_BYTES:
        return f"is longer than {_MAX_TEXT_BYTES} bytes"
    return ""
