"""What every publisher must do (``ports.Publisher``).

In a test module, list the publishers and subclass the suite::

    CASES = [PublisherCase(MyPublisher, shelf="my_shelf")]

    class TestPublishers(PublisherContract):
        @pytest.fixture(params=CASES, ids=str)
        def case(self, request):
            return request.param

``my_shelf`` is a fixture that reads back what was published; see ``Shelf``.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

import pytest

from bacalhau.errors import ValidationError
from bacalhau.models import (
    ComputeState,
    DesiredState,
    Execution,
    ExecutionID,
    Job,
    JobID,
    JobType,
    NodeID,
    SpecConfig,
    State,
    Task,
)
from bacalhau.testing.contracts._plugins import node_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from bacalhau.ports import Publisher
    from bacalhau.ports.plugin import Progress

RESULTS = {
    "stdout": b"hello\n",
    "stderr": b"",
    "exitCode": b"0",
    "outputs/deep/data.bin": bytes(range(256)) * 20,
}
STOP_SECONDS = 5.0


class Shelf(Protocol):
    """The place that one publisher publishes to."""

    def spec(self) -> SpecConfig:
        """Return a publisher, as in a job, that publishes there."""
        ...

    async def read(self, publisher: Publisher, result: SpecConfig) -> Mapping[str, bytes]:
        """Fetch a published result as a client would, and return its files by path."""
        ...


class PublisherCase(NamedTuple):
    """One publisher under test. ``shelf`` is the name of a fixture that gives its shelf."""

    publisher: type[Publisher]
    shelf: str

    def __str__(self) -> str:
        return self.publisher.__name__


@dataclass(slots=True)
class ToldStep:
    """A step that a publisher began, and how far it has come."""

    is_packing: bool
    size_bytes: int
    files: int = 0
    done_bytes: int = 0
    done_files: int = 0

    def advance(self, size_bytes: int, files: int) -> None:
        """Note what was done."""
        assert size_bytes >= 0 <= files, "progress does not go back"
        self.done_bytes += size_bytes
        self.done_files += files


@dataclass(slots=True)
class ToldProgress:
    """A ``ports.PublishProgress`` that keeps what it is told."""

    steps: list[ToldStep] = field(default_factory=list)

    def packing(self, size_bytes: int) -> Progress:
        """Begin a step that packs."""
        return self._begin(ToldStep(is_packing=True, size_bytes=size_bytes))

    def publishing(self, size_bytes: int, files: int = 0) -> Progress:
        """Begin a step that stores."""
        return self._begin(ToldStep(is_packing=False, size_bytes=size_bytes, files=files))

    def _begin(self, step: ToldStep) -> Progress:
        self.steps.append(step)
        return step.advance


class PublisherContract:
    """The suite; see the module."""

    @pytest.fixture
    def shelf(self, case: PublisherCase, request: pytest.FixtureRequest) -> Shelf:
        """The shelf of the case."""
        shelf: Shelf = request.getfixturevalue(case.shelf)
        return shelf

    @pytest.fixture
    async def publisher(
        self, case: PublisherCase, shelf: Shelf, tmp_path: Path
    ) -> AsyncIterator[Publisher]:
        """A live publisher. The shelf comes first, because it may set up credentials."""
        del shelf
        async with case.publisher.open(node_context(tmp_path / "node")) as publisher:
            yield publisher

    @pytest.fixture
    def results(self, tmp_path: Path) -> Path:
        """A results directory as a task leaves it."""
        return write_results(tmp_path / "results", RESULTS)

    def test_accepts_parameters_that_name_a_place(self, case: PublisherCase, shelf: Shelf) -> None:
        assert list(case.publisher.check(shelf.spec())) == []

    def test_warns_of_unknown_parameters(self, case: PublisherCase, shelf: Shelf) -> None:
        spec = shelf.spec()
        odd = SpecConfig(type=spec.type, params={**spec.params, "NoSuchParameter": 1})
        assert any("NoSuchParameter" in text for text in case.publisher.check(odd))

    def test_names_the_parameter_that_has_the_wrong_type(
        self, case: PublisherCase, shelf: Shelf
    ) -> None:
        spec = shelf.spec()
        for name in spec.params:
            wrong = SpecConfig(type=spec.type, params={**spec.params, name: [1.5]})
            with pytest.raises(ValidationError) as caught:
                case.publisher.check(wrong)
            assert f"Params.{name}" in caught.value.fields

    async def test_is_available(self, publisher: Publisher) -> None:
        assert await publisher.is_available()

    async def test_publishes_every_file(
        self, shelf: Shelf, publisher: Publisher, results: Path
    ) -> None:
        published = await publisher.publish(execution_with(shelf.spec()), results, ToldProgress())
        assert published.spec.type
        assert await shelf.read(publisher, published.spec) == RESULTS
        assert {each.path: (each.size_bytes, each.digest) for each in published.files} == {
            name: (len(data), hashlib.sha256(data).digest()) for name, data in RESULTS.items()
        }
        left = {name: (results / name).read_bytes() for name in RESULTS}
        assert left == RESULTS, "the results directory is the caller's"

    async def test_tells_of_all_that_it_announces_and_of_no_more(
        self, shelf: Shelf, publisher: Publisher, results: Path
    ) -> None:
        progress = ToldProgress()
        await publisher.publish(execution_with(shelf.spec()), results, progress)
        for step in progress.steps:
            assert (step.done_bytes, step.done_files) == (step.size_bytes, step.files)
            if step.is_packing or step.files:
                assert step.size_bytes == sum(map(len, RESULTS.values()))

    async def test_publishing_again_replaces(
        self, shelf: Shelf, publisher: Publisher, tmp_path: Path, results: Path
    ) -> None:
        execution = execution_with(shelf.spec())
        await publisher.publish(execution, results, ToldProgress())
        other = write_results(tmp_path / "again", {"stdout": b"other\n"})
        published = await publisher.publish(execution, other, ToldProgress())
        assert await shelf.read(publisher, published.spec) == {"stdout": b"other\n"}

    async def test_executions_do_not_share_a_place(
        self, shelf: Shelf, publisher: Publisher, tmp_path: Path, results: Path
    ) -> None:
        other = write_results(tmp_path / "other", {"stdout": b"other\n"})
        first = await publisher.publish(
            execution_with(shelf.spec(), "e-1"), results, ToldProgress()
        )
        second = await publisher.publish(execution_with(shelf.spec(), "e-2"), other, ToldProgress())
        assert await shelf.read(publisher, first.spec) == RESULTS
        assert await shelf.read(publisher, second.spec) == {"stdout": b"other\n"}

    async def test_leaves_nothing_unfinished_on_the_node(
        self, shelf: Shelf, publisher: Publisher, tmp_path: Path, results: Path
    ) -> None:
        async with asyncio.TaskGroup() as group:
            publishing = group.create_task(
                publisher.publish(
                    execution_with(shelf.spec(), "e-stopped"), results, ToldProgress()
                )
            )
            await asyncio.sleep(0)
            publishing.cancel()
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.wait([publishing])
        left = [path.name for path in (tmp_path / "node").rglob("*") if path.is_file()]
        assert left == [] or not publishing.cancelled()


def execution_with(spec: SpecConfig, execution_id: str = "e-contract") -> Execution:
    """Return an execution that carries a job with this publisher."""
    job = Job(
        id=JobID("j-contract"),
        type=JobType.BATCH,
        tasks=[Task(engine=SpecConfig(type="noop"), publisher=spec)],
    )
    return Execution(
        id=ExecutionID(execution_id),
        node_id=NodeID("n-contract"),
        job_id=job.id,
        job=job,
        desired_state=State[DesiredState](state_type=DesiredState.RUNNING),
        compute_state=State[ComputeState](state_type=ComputeState.PUBLISHING),
    )


def write_results(directory: Path, files: Mapping[str, bytes]) -> Path:
    """Write files below a directory, and return it."""
    for name, data in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    return directory
