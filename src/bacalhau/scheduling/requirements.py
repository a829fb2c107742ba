"""What a job asks of a node, worked out once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from bacalhau.models import LabelSelectorRequirement, Resources
from bacalhau.models.capacity import task_resources

if TYPE_CHECKING:
    from bacalhau.models import Job, NodeID

FAVOUR_PREFIX = "favour_"


class Requirements(msgspec.Struct, frozen=True, kw_only=True):
    """A job's demands. Two jobs with equal demands want the same nodes."""

    engine: str
    sources: tuple[str, ...]
    publisher: str
    constraints: tuple[LabelSelectorRequirement, ...]
    favours: tuple[LabelSelectorRequirement, ...]
    resources: Resources

    def shape(self, closed: tuple[NodeID, ...]) -> bytes:
        """Return a key that is equal for jobs that are interchangeable to the scheduler.

        ``closed`` are the nodes that take the job no more. A job that has used nodes up must not
        stand in the way of one that has not.
        """
        return msgspec.json.encode((self, closed), order="deterministic")


def requirements_of(job: Job) -> Requirements:
    """Collect what a job demands of a node."""
    task = job.task
    constraints, favours = [], []
    for constraint in job.constraints:
        if constraint.key.startswith(FAVOUR_PREFIX):
            key = constraint.key.removeprefix(FAVOUR_PREFIX)
            favours.append(msgspec.structs.replace(constraint, key=key))
        else:
            constraints.append(constraint)
    return Requirements(
        engine=task.engine.kind,
        sources=tuple(sorted({item.source.kind for item in task.input_sources})),
        publisher=task.publisher.kind,
        constraints=tuple(constraints),
        favours=tuple(favours),
        resources=task_resources(task),
    )
