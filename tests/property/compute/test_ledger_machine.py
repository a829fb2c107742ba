"""The ledger under any sequence of arrivals, ends and withdrawals."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bacalhau.compute.ledger import Ledger
from bacalhau.models import ExecutionID, Resources

CAPACITY = Resources(cpu=4, memory=1000, disk=50, gpu=1)

amounts = st.builds(
    lambda millicores, memory, disk, gpu: Resources(
        cpu=millicores / 1000, memory=memory, disk=disk, gpu=gpu
    ),
    st.integers(0, 4000),
    st.integers(0, 1000),
    st.integers(0, 50),
    st.integers(0, 1),
)


class LedgerMachine(RuleBasedStateMachine):
    """Compares the ledger with lists of what runs and what waits."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(CAPACITY)
        self.running: dict[ExecutionID, Resources] = {}
        self.waiting: list[tuple[int, int, ExecutionID, Resources]] = []
        self.arrivals = 0

    @rule(resources=amounts, priority=st.integers(-2, 2))
    def arrive(self, resources: Resources, priority: int) -> None:
        self.arrivals += 1
        execution_id = ExecutionID(f"e-{self.arrivals}")
        fits = resources.fits_into(CAPACITY - self._used())
        assert self.ledger.enter(execution_id, resources, priority) is fits
        if fits:
            self.running[execution_id] = resources
        else:
            self.waiting.append((-priority, self.arrivals, execution_id, resources))

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        ended = data.draw(st.sampled_from(sorted(self.running)))
        del self.running[ended]
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
        assert self.ledger.withdraw(entry[2])

    @invariant()
    def never_more_than_the_node_has(self) -> None:
        assert self.ledger.running.fits_into(CAPACITY)
        assert self.ledger.running == self._used()

    @invariant()
    def nobody_waits_for_room_that_is_there(self) -> None:
        free = CAPACITY - self.ledger.running
        assert not any(entry[3].fits_into(free) for entry in self.waiting)
        assert self.ledger.queued_count == len(self.waiting)

    def _used(self) -> Resources:
        return sum(self.running.values(), Resources())


TestLedger = LedgerMachine.TestCase
