"""Taking up at the start what an earlier process left (spec orchestration.md 6.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bacalhau.models import ComputeState

if TYPE_CHECKING:
    from bacalhau.compute.engine_door import EngineDoor
    from bacalhau.compute.inbox import Work
    from bacalhau.compute.records import Records
    from bacalhau.ports.workspace import Workspace

_OCCUPYING = (ComputeState.RUNNING, ComputeState.PUBLISHING)


async def sweep(records: Records, door: EngineDoor, workspace: Workspace) -> None:
    """Remove files and tasks of executions that have ended, before anything new begins."""
    live = [record.id for record in await records.store.live() if record.state.is_executing]
    await workspace.sweep(live)
    await door.sweep(live)


async def take_up(records: Records, work: Work) -> None:
    """Go on with every execution that has not ended, where it stood.

    Tasks that may still run come first, so that nothing new takes the room that they use.
    """
    live = await records.store.live()
    for record in sorted(live, key=lambda each: each.state not in _OCCUPYING):
        if record.state is ComputeState.NEW:
            work.bid(record.id)
        elif record.state.is_executing:
            work.run(record)
