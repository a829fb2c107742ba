"""Tables and CSV (spec cli.md 6.2, 6.3)."""

from __future__ import annotations

from bacalhau.cli.table import Column, Fit, TableStyle, render_csv, render_table

COLUMNS: tuple[Column[tuple[str, str]], ...] = (
    Column("created", lambda row: row[0], 8, Fit.SHORT_TIME),
    Column("job", lambda row: row[1], 10),
)


def one_column(
    text: str, width: int, fit: Fit = Fit.WRAP, *, is_painted: bool = False
) -> list[str]:
    column: Column[str] = Column("x", lambda row: row, width, fit, is_painted=is_painted)
    table = render_table([column], [text], TableStyle(header=False))
    return [line[1:-1].rstrip() for line in table.splitlines()]


def test_cells_are_padded_and_separated_by_two_spaces() -> None:
    table = render_table(COLUMNS, [("2024-10-09 12:01:02", "docker"), ("2024-10-09 12:01:05", "x")])
    assert table == (
        " CREATED   JOB    \n"  #
        " 12:01:02  docker \n"
        " 12:01:05  x      \n"
    )


def test_an_empty_table_is_its_header() -> None:
    assert render_table(COLUMNS, []) == " CREATED  JOB \n"
    assert render_table(COLUMNS, [], TableStyle(header=False)) == ""


def test_wide_shows_values_in_full() -> None:
    table = render_table(
        COLUMNS, [("2024-10-09 12:01:02", "a-very-long-name")], TableStyle(wide=True, header=False)
    )
    assert table == " 2024-10-09 12:01:02  a-very-long-name \n"


def test_wrap_cuts_anywhere() -> None:
    assert one_column("abcdefgh", 3) == ["abc", "def", "gh"]
    assert one_column("", 3) == [""]


def test_soft_breaks_at_spaces_and_cuts_long_words() -> None:
    assert one_column("3.0 / 4.0", 6, Fit.SOFT) == ["3.0 /", "4.0"]
    assert one_column("ab abcdefgh c", 4, Fit.SOFT) == ["ab", "abcd", "efgh", "c"]


def test_soft_keep_breaks_behind_the_width_and_keeps_lines() -> None:
    assert one_column("aaa bbb ccc\nd", 5, Fit.SOFT_KEEP) == ["aaa bbb", "ccc", "d"]
    painted = "\x1b[1maaa\x1b[0m bbb ccc"
    assert one_column(painted, 5, Fit.SOFT_KEEP, is_painted=True) == [
        "\x1b[1maaa\x1b[0m bbb",
        "ccc",
    ]


def test_short_ids() -> None:
    full = "j-51225160-807e-48b8-88c9-28311c7899e1"
    assert one_column(full, 10, Fit.SHORT_ID) == ["j-51225160"]
    assert one_column("my-node", 10, Fit.SHORT_ID) == ["my-node"]


def test_the_header_obeys_the_width() -> None:
    column: Column[str] = Column("inputs from", lambda row: row, 6, Fit.SOFT)
    assert render_table([column], ["s3"]) == " INPUTS \n FROM   \n s3     \n"


def test_colours_alternate() -> None:
    table = render_table(COLUMNS[1:], [("", "a"), ("", "b")], TableStyle(colour=True))
    assert table == ("\x1b[92;100m JOB \x1b[0m\n\x1b[97;40m a   \x1b[0m\n\x1b[37;40m b   \x1b[0m\n")


def test_csv_has_full_values_and_quotes_where_needed() -> None:
    rows = [("2024-10-09 12:01:02", 'a,"b"'), ("t", "\x1b[1mred\x1b[0m")]
    assert render_csv(COLUMNS, rows) == ('created,job\n2024-10-09 12:01:02,"a,""b"""\nt,red\n')
    assert render_csv(COLUMNS, rows[1:], header=False) == "t,red\n"
