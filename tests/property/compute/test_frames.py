"""Frames come out of the decoder as they went in, however the bytes are cut."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bacalhau.compute.log_file import FrameDecoder, end_frame, frames

outputs = st.lists(
    st.tuples(st.sampled_from([1, 2]), st.binary(min_size=1, max_size=50)), max_size=10
)


@given(outputs, st.lists(st.integers(1, 60)), st.integers(0, 2**62))
def test_any_cut_gives_the_same_frames(
    written: list[tuple[int, bytes]], cuts: list[int], time_ns: int
) -> None:
    log = b"".join(frames(stream, data, time_ns) for stream, data in written) + end_frame()
    decoder, read = FrameDecoder(), []
    for cut in [*cuts, len(log)]:
        read += decoder.feed(log[:cut])
        log = log[cut:]
    read += decoder.feed(log)
    assert [(frame.stream, frame.data) for frame in read] == written
    assert decoder.ended
