"""What is read of the kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from bacalhau.engines.docker.kernel import memory_kills


@pytest.mark.parametrize(
    ("told", "kills"),
    [("nr_free_pages 80\noom_kill 7\nzone_reclaim 1\n", 7), ("nr_free_pages 80\n", 0), ("", 0)],
)
def test_kills_for_want_of_memory_are_counted_where_the_kernel_counts_them(
    tmp_path: Path, told: str, kills: int
) -> None:
    counters = tmp_path / "vmstat"
    counters.write_text(told)
    assert memory_kills(counters) == kills
    assert memory_kills(tmp_path / "none") == 0
