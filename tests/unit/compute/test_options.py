"""What an operator can set of a compute node."""

from __future__ import annotations

import pytest

from bacalhau.compute.options import ComputeOptions
from bacalhau.config import Settings


@pytest.mark.parametrize(
    ("accept", "reject", "accepted"),
    [(False, False, False), (True, False, True), (True, True, False), (False, True, False)],
)
def test_who_refuses_networked_jobs_wins(accept: bool, reject: bool, accepted: bool) -> None:
    settings = Settings(
        {
            "JobAdmissionControl.AcceptNetworkedJobs": accept,
            "JobAdmissionControl.RejectNetworkedJobs": reject,
        }
    )
    assert ComputeOptions.of(settings).accept_networked_jobs is accepted
