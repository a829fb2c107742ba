"""Logs on disk: their format, and how they stay within bounds."""

from __future__ import annotations

from pathlib import Path

from bacalhau.compute.log_file import (
    FrameDecoder,
    LogReader,
    LogWriter,
    end_frame,
    frames,
    segments,
)
from bacalhau.protocol.messages import LogFrame

NOON_NS = 1_700_000_000_000_000_001


def read_all(reader: LogReader) -> bytes:
    parts = []
    while (found := reader.read()) is not None and not reader.ended:
        parts += [frame.data for frame in found]
    if found:
        parts += [frame.data for frame in found]
    reader.close()
    return b"".join(parts)


def test_the_format_is_that_of_version_1_9() -> None:
    assert frames(1, b"hi\n", NOON_NS) == (
        b"\x01\0\0\0" + (31 + 3).to_bytes(4, "big") + b"2023-11-14T22:13:20.000000001Z hi\n"
    )
    assert end_frame() == b"\x04\0\0\0\0\0\0\0"


def test_large_output_becomes_several_frames() -> None:
    decoder = FrameDecoder()
    found = decoder.feed(frames(2, b"x" * 100_000, NOON_NS))
    assert [len(frame.data) for frame in found] == [32768, 32768, 32768, 1696]
    assert {frame.stream for frame in found} == {2}


def test_nothing_comes_after_the_end() -> None:
    decoder = FrameDecoder()
    log = frames(1, b"a", NOON_NS) + end_frame() + frames(1, b"b", NOON_NS)
    assert decoder.feed(log) == [LogFrame(stream=1, data=b"a")]
    assert decoder.ended


def test_an_empty_log_has_an_end_too(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path)
    reader = LogReader(tmp_path)
    assert reader.read() is None
    writer.append(end_frame())
    assert reader.read() == []
    assert reader.ended
    reader.close()
    writer.close()


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert LogReader(tmp_path).read() is None


def test_a_large_log_keeps_its_beginning_and_its_end(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, segment_bytes=100, segments_kept=3)
    for number in range(30):
        writer.append(frames(1, b"%02d" % number, NOON_NS))
    writer.append(end_frame())
    assert len(segments(tmp_path)) == 3
    # Two frames of 41 bytes fill a segment; the first and the last two are left.
    gone = b"\n[here about 984 B of output are missing: too much to be kept]\n"
    assert read_all(LogReader(tmp_path)) == b"0001" + gone + b"26272829"
    writer.close()


def test_a_reader_keeps_up_while_segments_go(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, segment_bytes=100, segments_kept=2)
    reader = LogReader(tmp_path)
    seen = []
    for number in range(30):
        writer.append(frames(1, b"%02d" % number, NOON_NS))
        while (found := reader.read()) is not None:
            seen += [frame.data for frame in found]
    assert seen == [b"%02d" % number for number in range(30)]
    reader.close()
    writer.close()


def test_a_slow_reader_goes_on_behind_the_gap(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path, segment_bytes=100, segments_kept=2)
    reader = LogReader(tmp_path)
    writer.append(frames(1, b"00", NOON_NS))
    assert reader.read() == [LogFrame(stream=1, data=b"00")]
    for number in range(1, 30):
        writer.append(frames(1, b"%02d" % number, NOON_NS))
    writer.append(end_frame())
    assert read_all(reader) == (
        b"01" + b"\n[here about 1.1 kB of output are missing: too much to be kept]\n" + b"2829"
    )
    writer.close()


def test_reading_from_a_position(tmp_path: Path) -> None:
    writer = LogWriter(tmp_path)
    writer.append(frames(1, b"past", NOON_NS))
    reader = LogReader(tmp_path, start=writer.position)
    writer.append(frames(1, b"now", NOON_NS))
    assert reader.read() == [LogFrame(stream=1, data=b"now")]
    assert reader.is_beyond(writer.position)
    reader.close()
    writer.close()
