"""The ledger under any sequence of arrivals, ends, withdrawals and restarts."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bacalhau.compute.ledger import Ledger
from bacalhau.models import GPU, ExecutionID, Resources

GPUS = [GPU(index=index, name=f"gpu {index}") for index in range(3)]
CAPACITY = Resources(cpu=4, memory=1000, disk=50, gpu=3, gpus=GPUS)

amounts = st.builds(
    lambda millicores, memory, disk, gpu: Resources(
        cpu=millicores / 1000, memory=memory, disk=disk, gpu=gpu
    ),
    st.integers(0, 4000),
    st.integers(0, 1000),
    st.integers(0, 50),
    st.integers(0, 3),
)


class LedgerMachine(RuleBasedStateMachine):
    """Compares the ledger with lists of what runs and what waits."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(CAPACITY)
        self.running: dict[ExecutionID, Resources] = {}
        self.waiting: list[tuple[int, int, ExecutionID, Resources]] = []
        self.ended: list[ExecutionID] = []
        self.arrivals = 0

    @rule(resources=amounts, priority=st.integers(-2, 2))
    def arrive(self, resources: Resources, priority: int) -> None:
        self.arrivals += 1
        self._enter(ExecutionID(f"e-{self.arrivals}"), resources, -priority)

    def _enter(self, execution_id: ExecutionID, resources: Resources, rank: int) -> None:
        self.arrivals += 1
        fits = resources.fits_into(CAPACITY - self._used())
        assert self.ledger.enter(execution_id, resources, -rank) is fits
        if fits:
            self.running[execution_id] = resources
        else:
            self.waiting.append((rank, self.arrivals, execution_id, resources))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        """Those who waited start in order of priority, then arrival, as far as they fit."""
        ended = data.draw(st.sampled_from(sorted(self.running)))
        del self.running[ended]
        self.ended.append(ended)
        expected = []
        for entry in sorted(self.waiting, key=lambda each: each[:2]):
            if entry[3].fits_into(CAPACITY - self._used()):
                self.running[entry[2]] = entry[3]
                self.waiting.remove(entry)
                expected.append(entry[2])
        assert self.ledger.leave(ended) == expected

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        entry = data.draw(st.sampled_from(self.waiting))
        self.waiting.remove(entry)
        self.ended.append(entry[2])
        assert self.ledger.withdraw(entry[2])

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def end_again(self, data: st.DataObject) -> None:
        """What has ended holds nothing, and cannot give anything back a second time."""
        ended = data.draw(st.sampled_from(self.ended))
        assert ended not in self.ledger
        assert not self.ledger.withdraw(ended)
        with pytest.raises(KeyError):
            self.ledger.leave(ended)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def withdraw_what_runs(self, data: st.DataObject) -> None:
        assert not self.ledger.withdraw(data.draw(st.sampled_from(sorted(self.running))))

    @precondition(lambda self: self.running)
    @rule()
    def restart(self) -> None:
        """What ran goes on first, with the GPUs that it had; what waited waits again."""
        held = {each: self.ledger.held(each) for each in self.running}
        waiting, self.waiting, self.running = self.waiting, [], {}
        self.ledger = Ledger(CAPACITY)
        for execution_id, resources in held.items():
            self._enter(execution_id, resources, 0)
        assert {each: self.ledger.held(each) for each in held} == held
        for rank, _, execution_id, resources in sorted(waiting, key=lambda each: each[:2]):
            self._enter(execution_id, resources, rank)

    @invariant()
    def never_more_than_the_node_has(self) -> None:
        assert self.ledger.running.fits_into(CAPACITY)
        used = self._used()
        running = self.ledger.running
        assert (running.memory, running.disk, running.gpu) == (used.memory, used.disk, used.gpu)
        assert running.cpu == pytest.approx(used.cpu)
        assert self.ledger.running_count == len(self.running)

    @invariant()
    def no_gpu_belongs_to_two(self) -> None:
        given = [gpu.index for each in self.running for gpu in self.ledger.held(each).gpus]
        assert len(given) == len(set(given)) == self._used().gpu

    @invariant()
    def nobody_waits_for_room_that_is_there(self) -> None:
        free = CAPACITY - self.ledger.running
        assert not any(entry[3].fits_into(free) for entry in self.waiting)
        assert self.ledger.queued_count == len(self.waiting)

    def _used(self) -> Resources:
        return sum(self.running.values(), Resources())


TestLedger = LedgerMachine.TestCase
