"""How a compute node behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bacalhau.config import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeOptions:
    """Settings of a compute node; all durations are in seconds.

    Attributes:
        accept_networked_jobs: Run tasks that use the network.
        reject_stateless_jobs: Refuse tasks without inputs.
        requires_local_inputs: Refuse tasks whose inputs are not all on the node already.
        probe_exec: A command that is asked about each job; empty for none.
        probe_http: A URL that is asked about each job; empty for none.
        probe_seconds: The longest time for each of the two to answer.
        read_timeout_seconds: The longest time to list one input.
        heartbeat_seconds: Time between signs of life.
        silent_heartbeats: After so many of them without a word, Hello is said instead.
        underway_seconds: Time between words on what executions fetch, publish or wait for.
        report_seconds: Time between reports of everything that has not ended.
        hello_seconds: How long to wait for the first Welcome; doubled with each attempt.
        hello_limit_seconds: The longest wait for a Welcome.
        window: How many messages may be sent and not acknowledged.
        resend_seconds: How long to wait for an acknowledgement; doubled with each attempt.
        resend_limit_seconds: The longest wait for an acknowledgement.
        bids_at_once: How many bids are worked out at the same time.
        sweep_seconds: How long an engine may take to remove leftovers.
        sweep_every_seconds: Time between two looks for leftovers.
        drain_seconds: How long a node that is told to stop waits for what is being published.
        tell_seconds: How long it waits then for the orchestrator to take its last messages.
        leaves_tasks: A node that is told to stop leaves tasks running that its next process can
            join. False where there will be none.
    """

    accept_networked_jobs: bool = False
    reject_stateless_jobs: bool = False
    requires_local_inputs: bool = False
    probe_exec: str = ""
    probe_http: str = ""
    probe_seconds: float = 10.0
    read_timeout_seconds: float = 300.0
    heartbeat_seconds: float = 15.0
    silent_heartbeats: int = 4
    underway_seconds: float = 1.0
    report_seconds: float = 30.0
    hello_seconds: float = 1.0
    hello_limit_seconds: float = 30.0
    window: int = 64
    resend_seconds: float = 2.0
    resend_limit_seconds: float = 30.0
    bids_at_once: int = 16
    sweep_seconds: float = 60.0
    sweep_every_seconds: float = 300.0
    drain_seconds: float = 15.0
    tell_seconds: float = 2.0
    leaves_tasks: bool = True

    @classmethod
    def of(cls, settings: Settings) -> ComputeOptions:
        """Take what an operator can set; the rest keeps its default."""
        admission = "JobAdmissionControl"
        return cls(
            accept_networked_jobs=settings.flag(f"{admission}.AcceptNetworkedJobs")
            and not settings.flag(f"{admission}.RejectNetworkedJobs"),
            reject_stateless_jobs=settings.flag(f"{admission}.RejectStatelessJobs"),
            requires_local_inputs=settings.text(f"{admission}.Locality").lower() == "local",
            probe_exec=settings.text(f"{admission}.ProbeExec"),
            probe_http=settings.text(f"{admission}.ProbeHTTP"),
            read_timeout_seconds=settings.seconds("InputSources.ReadTimeout"),
            heartbeat_seconds=settings.seconds("Compute.Heartbeat.Interval"),
        )
