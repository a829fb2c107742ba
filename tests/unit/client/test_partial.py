"""What is kept of a download that is not complete."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bacalhau.client.partial import Original, Partial

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://host/f"
SIZE = 2 * 1024 * 1024
ORIGINAL = Original(URL, '"etag"', SIZE)


def begun(destination: Path, *spans: tuple[int, int], original: Original = ORIGINAL) -> None:
    """Leave a download as a process does that is killed."""
    partial = Partial(destination, destination)
    partial.begin(original)
    for start, end in spans:
        partial.write(b"x" * (end - start), start)
        partial.note(start, end)
    partial.close()


def test_the_next_process_knows_what_has_arrived(tmp_path: Path) -> None:
    begun(tmp_path / "f", (100, 200), (0, 50), (150, 300), (1000, SIZE))
    partial = Partial(tmp_path / "f", tmp_path / "f")
    assert partial.resume(URL)
    assert partial.original == ORIGINAL
    assert partial.missing() == [(50, 100), (300, 1000)]
    assert partial.done_bytes == SIZE - 750
    partial.write(b"y" * 50, 50)
    partial.note(50, 100)
    partial.close()
    again = Partial(tmp_path / "f", tmp_path / "f")
    assert again.resume(URL)
    assert again.missing() == [(300, 1000)]
    again.close()


def test_a_line_that_was_cut_off_does_not_count(tmp_path: Path) -> None:
    begun(tmp_path / "f", (0, 100))
    with (tmp_path / "f.part.log").open("a") as log:
        log.write("100 2000")
    partial = Partial(tmp_path / "f", tmp_path / "f")
    assert partial.resume(URL)
    assert partial.missing() == [(100, SIZE)]
    partial.close()


def test_complete(tmp_path: Path) -> None:
    begun(tmp_path / "f", (0, SIZE))
    partial = Partial(tmp_path / "f", tmp_path / "f")
    assert partial.resume(URL)
    assert partial.missing() == []
    partial.finish(1_000_000_000)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]
    assert (tmp_path / "f").stat().st_mtime == 1_000_000_000


@pytest.mark.parametrize(
    "original",
    [
        Original("http://host/other", '"etag"', SIZE),
        Original(URL, "", SIZE),
        Original(URL, '"etag"', 100),
        Original(URL, '"etag"', None),
    ],
    ids=["another address", "no version", "small", "no size"],
)
def test_what_cannot_be_gone_on_with(original: Original, tmp_path: Path) -> None:
    begun(tmp_path / "f", (0, 50), original=original)
    assert not Partial(tmp_path / "f", tmp_path / "f").resume(URL)


@pytest.mark.parametrize("damage", ["no part", "short part", "beyond the end", "a link"])
def test_what_was_tampered_with_is_not_gone_on_with(damage: str, tmp_path: Path) -> None:
    begun(tmp_path / "f", (0, 50))
    part = tmp_path / "f.part"
    if damage == "no part":
        part.unlink()
    elif damage == "short part":
        part.write_bytes(b"x" * 40)
    elif damage == "beyond the end":
        with (tmp_path / "f.part.log").open("a") as log:
            log.write(f"0 {SIZE + 1}\n")
    else:
        part.rename(tmp_path / "elsewhere")
        part.symlink_to("elsewhere")
    assert not Partial(tmp_path / "f", tmp_path / "f").resume(URL)


def test_nothing_is_left_of_what_is_discarded(tmp_path: Path) -> None:
    partial = Partial(tmp_path / "f", tmp_path / "f")
    partial.begin(ORIGINAL)
    partial.discard()
    assert list(tmp_path.iterdir()) == []
