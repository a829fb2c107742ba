"""Docker's frames, taken apart however they come."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from bacalhau.engines.docker.output import FrameReader
from bacalhau.ports import Stream

FRAMES = st.lists(st.tuples(st.sampled_from(Stream), st.binary(max_size=20)))


@given(FRAMES, st.integers(min_value=1, max_value=9))
def test_streams_come_out_whole_however_the_bytes_are_cut(
    frames: list[tuple[Stream, bytes]], step: int
) -> None:
    raw = b"".join(struct.pack(">BxxxL", stream, len(data)) + data for stream, data in frames)
    reader = FrameReader()
    found = dict.fromkeys(Stream, b"")
    for start in range(0, len(raw), step):
        for stream, piece in reader.feed(raw[start : start + step]):
            found[stream] += piece
    for stream in Stream:
        assert found[stream] == b"".join(data for each, data in frames if each is stream)
    assert reader.is_between_frames


def test_a_large_frame_is_given_out_as_it_comes() -> None:
    reader = FrameReader()
    assert reader.feed(struct.pack(">BxxxL", 1, 2**31) + b"abc") == [(Stream.STDOUT, b"abc")]
    assert reader.feed(b"def") == [(Stream.STDOUT, b"def")]
    assert not reader.is_between_frames


def test_an_end_within_a_head_is_noticed() -> None:
    reader = FrameReader()
    assert reader.feed(b"\x02\0\0") == []
    assert not reader.is_between_frames
