"""What orchestrator and compute nodes tell each other (spec orchestration.md 7).

Messages come in two kinds. *Sequenced* ones change state; they wait in the sender's outbox until
the peer has acknowledged them, and arrive in order. *Signals* are sent once and may be lost.
Every receiver treats a repeated message as a no-op, so that the worst a bad network can do is to
cause work twice on the wire, never twice in effect.
"""

from __future__ import annotations

import msgspec

from bacalhau.models import (
    AllocatedResources,
    ComputeNodeInfo,
    ComputeState,
    Event,
    Execution,
    ExecutionID,
    NodeInfo,
    RunOutput,
    SpecConfig,
)
from bacalhau.models.provenance import InputRecord, OutputRecord

PeerID = str
ORCHESTRATOR: PeerID = "orchestrator"


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, gc=False):
    """Base of everything that is sent; the class name is the tag on the wire."""


class AskForBid(Message, frozen=True, kw_only=True):
    """Offer an execution, with its job: the node starts it if it can and may, or refuses.

    Sent again when the node turns out not to know an execution that it should have.
    """

    execution: Execution


class CancelExecution(Message, frozen=True, kw_only=True):
    """Stop and forget, whatever phase the execution is in."""

    execution_id: ExecutionID
    reason: str = ""


class BidResult(Message, frozen=True, kw_only=True):
    """The node's answer to AskForBid; a refusal carries its reason as event.

    ``listings`` as in ``models.Execution``: what the node has found.
    """

    execution_id: ExecutionID
    accepted: bool
    events: tuple[Event, ...] = ()
    allocated: AllocatedResources = AllocatedResources()
    listings: dict[str, str] = {}


class InputsRead(Message, frozen=True, kw_only=True):
    """The inputs are fetched and the task begins; what was fetched replaces what was told before.

    Not sent for executions that read nothing but what their job contains.
    """

    execution_id: ExecutionID
    inputs: tuple[InputRecord, ...]


class RunResult(Message, frozen=True, kw_only=True):
    """The task ended, with whatever exit code, and its results are published."""

    execution_id: ExecutionID
    run_output: RunOutput
    published_result: SpecConfig = SpecConfig()
    outputs: OutputRecord | None = None
    events: tuple[Event, ...] = ()


class ComputeError(Message, frozen=True, kw_only=True):
    """The execution failed; the last event says why.

    ``retryable`` False means that no other node would do better.
    """

    execution_id: ExecutionID
    events: tuple[Event, ...]
    run_output: RunOutput | None = None
    retryable: bool = True


class Hello(Message, frozen=True, kw_only=True):
    """A node opens a session: who it is, and the last message it knows to be delivered."""

    info: NodeInfo
    floor: int


class Welcome(Message, frozen=True, kw_only=True):
    """The orchestrator accepts a session; ``floor`` as in Hello, for the other direction."""

    floor: int


class Rejoin(Message, frozen=True, kw_only=True):
    """The orchestrator does not know the session: say Hello again."""


class HeldInput(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a node has of an input: ``total_bytes`` is what the input was when it was last listed.

    ``fingerprint`` is that of ``models.fingerprint``.
    """

    fingerprint: str
    held_bytes: int
    total_bytes: int

    @property
    def lacking_bytes(self) -> int:
        """What would have to be fetched."""
        return max(0, self.total_bytes - self.held_bytes)


class Heartbeat(Message, frozen=True, kw_only=True):
    """A node lives; with its present load, and what it has of inputs that were used lately."""

    load: ComputeNodeInfo
    held: tuple[HeldInput, ...] = ()


class Underway(Message, frozen=True, kw_only=True):
    """What executions of a node are doing right now; it replaces what was told before.

    Of interest for a moment, such as how much of the inputs has been fetched, or of the results
    published. Nobody stores it.
    """

    events: dict[ExecutionID, Event]


class Report(Message, frozen=True, kw_only=True):
    """All executions of a node that have not ended, for comparison with what is desired.

    ``received`` is the last message that the node had taken when it made the report, so that the
    orchestrator can tell what the node does not know from what it does not know yet. ``untold`` are
    executions that have ended and whose end may still be on its way to the orchestrator.
    """

    executions: dict[ExecutionID, ComputeState]
    received: int
    untold: tuple[ExecutionID, ...] = ()


class Ack(Message, frozen=True, kw_only=True):
    """All sequenced messages up to and including ``seq`` are stored."""

    seq: int


ToNode = AskForBid | CancelExecution
Answer = BidResult | RunResult | ComputeError
FromNode = InputsRead | Answer
TO_NODE = (AskForBid, CancelExecution)
FROM_NODE = (BidResult, InputsRead, RunResult, ComputeError)
Sequenced = ToNode | FromNode
Signal = Hello | Welcome | Rejoin | Heartbeat | Underway | Report | Ack
AnyMessage = Sequenced | Signal


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One message on its way.

    ``session`` is made by the node at every start; envelopes of older sessions are ignored.
    Sequenced messages carry ``seq`` > 0 and ``previous``, the number of the message before them
    that was not acknowledged when they were sent, so that the receiver notices a gap. It is 0 when
    there is none. Signals carry zeros.
    """

    source: PeerID
    target: PeerID
    session: str
    message: AnyMessage
    seq: int = 0
    previous: int = 0


class LogRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Which output of an execution to stream (spec api.md 5)."""

    execution_id: ExecutionID
    follow: bool = False
    tail: bool = False


class LogFrame(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of output: ``stream`` 1 is stdout, 2 is stderr. ``error`` ends the stream."""

    stream: int = 0
    data: bytes = b""
    error: str = ""


class StoredMessage(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A sequenced message waiting in an outbox. ``seq`` only grows for each receiver."""

    seq: int
    message: Sequenced
