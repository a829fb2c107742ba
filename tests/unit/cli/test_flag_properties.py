"""Whatever users type is either read or refused with a reason; nothing else happens."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from bacalhau.cli.csv_record import read_record, write_field
from bacalhau.cli.docker.run import COMMAND
from bacalhau.cli.flags.inputs import read_input
from bacalhau.cli.flags.outputs import read_output
from bacalhau.cli.flags.publisher import read_publisher
from bacalhau.cli.syntax import parse
from bacalhau.errors import UserError

_MARKS = 's3:// S3: https:// file:// ipfs:// src= dst= opt= = : / , " %2 %zz ? # b key region 9000'
PIECES = st.lists(st.sampled_from([*_MARKS.split(), " ", "é", "\n", "\0"]), max_size=12).map(
    "".join
)
TEXTS = PIECES.map("".join) | st.text(max_size=30)
WORDS = st.lists(TEXTS | st.sampled_from(["-i", "--input", "--count=1", "--", "-", "-fx", "-p"]))


@given(TEXTS)
def test_locations_are_read_or_refused(text: str) -> None:
    with contextlib.suppress(ValueError):
        source = read_input(text)
        assert source.source.type
        assert source.source.params
    with contextlib.suppress(ValueError):
        publisher, _ = read_publisher(text)
        assert publisher.type in ("local", "ipfs", "s3")
    with contextlib.suppress(ValueError):
        assert read_output(text).path.startswith("/")


@given(WORDS)
def test_command_lines_are_read_or_refused(words: list[str]) -> None:
    with contextlib.suppress(UserError):
        parsed = parse(words, COMMAND.flags)
        assert len(parsed.positionals) <= len(words)


@given(st.lists(st.text(), min_size=1).filter(lambda fields: fields != [""]))
def test_records_are_read_as_they_were_written(fields: list[str]) -> None:
    assert read_record(",".join(map(write_field, fields))) == fields
