"""What every input source must do (``ports.Source``).

In a test module, list the sources and subclass the suite::

    CASES = [SourceCase(MySource, origin="my_origin")]

    class TestSources(SourceContract):
        @pytest.fixture(params=CASES, ids=str)
        def case(self, request):
            return request.param

``my_origin`` is a fixture that puts data where the source finds it; see ``Origin``.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
import pytest

from bacalhau.errors import BacalhauError, ValidationError
from bacalhau.lib.paths import clean_relative
from bacalhau.models import InputSource, SpecConfig
from bacalhau.ports import LocalPresence
from bacalhau.testing.contracts._plugins import node_context

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from bacalhau.config.keys import Value
    from bacalhau.ports import InputPlan, Source, Volume

TARGET = "/inputs"
FILE = {"hello.txt": b"hello\n"}
TREE = {**FILE, "deep/er/data.bin": bytes(range(256)) * 20, "deep/empty": b""}
STOP_SECONDS = 1.0


class Origin(Protocol):
    """A place that one source fetches from. ``holds_trees``: it can hold more than one file."""

    holds_trees: bool

    async def offer(self, files: Mapping[str, bytes]) -> SpecConfig:
        """Put files there, and return a source that means exactly them."""
        ...

    def absent(self) -> SpecConfig | None:
        """Return a source that names something that is not there; None if that cannot be."""
        ...


class SourceCase(NamedTuple):
    """One source under test. ``origin`` is the name of a fixture that gives its origin.

    ``settings`` are those of the node. A source that ``lends`` gives the task what is on the node
    already: it plans no bytes and leaves the directory empty.
    """

    source: type[Source]
    origin: str
    settings: Mapping[str, Value] | None = None
    lends: bool = False

    def __str__(self) -> str:
        return self.source.__name__


class Fetched(NamedTuple):
    """A fetched input, and the sums of what was reported while it came."""

    plan: InputPlan
    volume: Volume
    size_bytes: int
    objects: int


class SourceContract:
    """The suite; see the module."""

    @pytest.fixture
    def origin(self, case: SourceCase, request: pytest.FixtureRequest) -> Origin:
        """The origin of the case."""
        origin: Origin = request.getfixturevalue(case.origin)
        return origin

    @pytest.fixture
    async def source(
        self, case: SourceCase, origin: Origin, tmp_path: Path
    ) -> AsyncIterator[Source]:
        """A live source. The origin comes first, because it may set up credentials."""
        del origin
        context = node_context(tmp_path / "node", case.settings)
        async with case.source.open(context) as source:
            yield source

    @pytest.fixture
    def directory(self, tmp_path: Path) -> Path:
        """The empty directory that an input is fetched to."""
        directory = tmp_path / "input"
        directory.mkdir()
        return directory

    async def test_accepts_parameters_that_name_data(
        self, case: SourceCase, origin: Origin
    ) -> None:
        assert list(case.source.check(await origin.offer(FILE))) == []

    async def test_warns_of_unknown_parameters(self, case: SourceCase, origin: Origin) -> None:
        spec = await origin.offer(FILE)
        odd = SpecConfig(type=spec.type, params={**spec.params, "NoSuchParameter": 1})
        assert any("NoSuchParameter" in text for text in case.source.check(odd))

    async def test_names_the_parameter_that_has_the_wrong_type(
        self, case: SourceCase, origin: Origin
    ) -> None:
        spec = await origin.offer(FILE)
        for name in spec.params:
            wrong = SpecConfig(type=spec.type, params={**spec.params, name: [1.5]})
            with pytest.raises(ValidationError) as caught:
                case.source.check(wrong)
            assert f"Params.{name}" in caught.value.fields

    async def test_takes_parameter_names_in_any_case(
        self, case: SourceCase, origin: Origin, source: Source
    ) -> None:
        spec = await origin.offer(FILE)
        lower = SpecConfig(
            type=spec.type.upper(),
            params={name.lower(): each for name, each in spec.params.items()},
        )
        assert list(case.source.check(lower)) == []
        assert await source.plan(wanted(lower)) == await source.plan(wanted(spec))

    async def test_is_available(self, source: Source) -> None:
        assert await source.is_available()

    async def test_plans_without_fetching(
        self, case: SourceCase, origin: Origin, source: Source
    ) -> None:
        spec = await origin.offer(FILE)
        plan = await source.plan(wanted(spec))
        assert plan.size_bytes == (0 if case.lends else len(FILE["hello.txt"]))
        assert plan == await source.plan(wanted(spec))
        assert plan == msgspec.json.decode(msgspec.json.encode(plan), type=type(plan))
        for item in plan.objects:
            assert item.path in (".", clean_relative(item.path))

    async def test_tells_where_the_data_are_from(self, origin: Origin, source: Source) -> None:
        plan = await source.plan(wanted(await origin.offer(FILE)))
        assert bool(plan.origin) is not plan.is_in_job

    async def test_hashes_what_it_fetches_or_says_nothing(
        self, origin: Origin, source: Source, directory: Path
    ) -> None:
        spec = wanted(await origin.offer(FILE))
        plan = await source.plan(spec)
        fetched = await source.fetch(spec, plan, directory, lambda *_: None)
        files = [item for item in plan.objects if not item.is_directory]
        for item in files if fetched.digests else ():
            content = (directory / item.path).read_bytes()
            assert fetched.digests[item.path] == hashlib.sha256(content).digest()

    async def test_fetches_what_was_planned(
        self, case: SourceCase, origin: Origin, source: Source, directory: Path
    ) -> None:
        fetched = await fetch(source, await origin.offer(FILE), directory)
        assert fetched.volume.target == TARGET
        assert fetched.volume.path.is_relative_to(directory) is not case.lends
        assert list(files_below(fetched.volume.path).values()) == list(FILE.values())
        assert fetched.size_bytes == fetched.plan.size_bytes
        assert fetched.objects == len(fetched.plan.objects)
        assert fetched.plan.is_file == fetched.volume.path.is_file()

    async def test_keeps_the_names_of_a_tree(
        self, case: SourceCase, origin: Origin, source: Source, directory: Path
    ) -> None:
        if not origin.holds_trees:
            return
        fetched = await fetch(source, await origin.offer(TREE), directory)
        assert files_below(fetched.volume.path) == TREE
        assert fetched.plan.size_bytes == (0 if case.lends else sum(map(len, TREE.values())))

    async def test_everybody_can_read_what_was_fetched(
        self, origin: Origin, source: Source, directory: Path
    ) -> None:
        await fetch(source, await origin.offer(FILE), directory)
        for path in directory.rglob("*"):
            assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644)

    async def test_says_what_is_missing(
        self, origin: Origin, source: Source, directory: Path
    ) -> None:
        absent = origin.absent()
        if absent is None:
            return
        with pytest.raises(BacalhauError) as caught:
            await fetch(source, absent, directory)
        assert caught.value.message
        assert "\n" not in caught.value.message
        assert caught.value.component != "Bacalhau"
        assert list(directory.iterdir()) == []

    async def test_has_locally_only_what_is_there(self, origin: Origin, source: Source) -> None:
        if not isinstance(source, LocalPresence):
            return
        assert await source.has_locally(wanted(await origin.offer(FILE)))
        absent = origin.absent()
        assert absent is None or not await source.has_locally(wanted(absent))

    async def test_stops_when_cancelled(
        self, origin: Origin, source: Source, directory: Path
    ) -> None:
        spec = await origin.offer(TREE if origin.holds_trees else FILE)
        plan = await source.plan(wanted(spec))
        async with asyncio.TaskGroup() as group:
            fetching = group.create_task(
                source.fetch(wanted(spec), plan, directory, lambda *_: None)
            )
            await asyncio.sleep(0)
            fetching.cancel()
            async with asyncio.timeout(STOP_SECONDS):
                await asyncio.wait([fetching])


def wanted(spec: SpecConfig) -> InputSource:
    """Return an input of a job."""
    return InputSource(source=spec, target=TARGET)


async def fetch(source: Source, spec: SpecConfig, directory: Path) -> Fetched:
    """Plan and fetch an input."""
    plan = await source.plan(wanted(spec))
    reports: list[tuple[int, int]] = []
    fetched = await source.fetch(
        wanted(spec), plan, directory, lambda size, objects: reports.append((size, objects))
    )
    return Fetched(
        plan,
        fetched.volume,
        sum(size for size, _ in reports),
        sum(objects for _, objects in reports),
    )


def files_below(root: Path) -> dict[str, bytes]:
    """Return the content of all files below a directory by path; a file itself is called ``.``."""
    paths = [root] if root.is_file() else sorted(root.rglob("*"))
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in paths if path.is_file()
    }
