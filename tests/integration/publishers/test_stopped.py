"""A publisher that is stopped gives up what it was packing, however much there is of it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from bacalhau.models import SpecConfig
from bacalhau.publishers.local import LocalPublisher
from bacalhau.publishers.s3 import S3Publisher
from bacalhau.testing.contracts.publisher import ToldProgress, execution_with
from tests.support.engines import plugin_context
from tests.support.s3 import s3_environment

if TYPE_CHECKING:
    from pathlib import Path

    from bacalhau.config.keys import Value
    from bacalhau.ports import Publisher

__all__ = ["s3_environment"]

SPECS = {
    LocalPublisher: SpecConfig(type="local"),
    S3Publisher: SpecConfig(
        type="s3", params={"Bucket": "b", "Key": "k", "Endpoint": "http://127.0.0.1:9"}
    ),
}
SETTINGS: dict[str, Value] = {
    "Publishers.Types.Local.Port": 0,
    "Publishers.Types.Local.Address": "127.0.0.1",
}
STOP_SECONDS = 1.0
AT_ONCE = 5
"""More than there are threads: some are stopped before they begin."""


@pytest.mark.usefixtures("s3_environment")
@pytest.mark.parametrize("kind", SPECS, ids=lambda kind: kind.__name__)
async def test_large_results_are_given_up_at_once(kind: type[Publisher], tmp_path: Path) -> None:
    results = tmp_path / "results"
    results.mkdir()
    with (results / "large").open("wb") as file:
        file.truncate(2**40)  # packing it would take hours, and keeping it no room
    async with kind.open(plugin_context(tmp_path / "node", SETTINGS)) as publisher:
        async with asyncio.TaskGroup() as group:
            publishing = [
                group.create_task(
                    publisher.publish(
                        execution_with(SPECS[kind], f"e-{n}"), results, ToldProgress()
                    )
                )
                for n in range(AT_ONCE)
            ]
            while not has_begun(tmp_path / "node"):  # noqa: ASYNC110 - nobody tells of it
                await asyncio.sleep(0.01)
            for task in publishing:
                task.cancel()
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.wait(publishing)
        assert all(task.cancelled() for task in publishing)
        assert files_below(tmp_path / "node") == []


def has_begun(directory: Path) -> bool:
    return any(path.stat().st_size for path in files_below(directory))


def files_below(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]
