"""The table of measurements says what was compared, and what missed its goal."""

from __future__ import annotations

from bench.table import Beside, Goal, Row, render


def line(text: str, start: str) -> str:
    return next(found for found in text.splitlines() if found.startswith(start))


def test_a_ratio_is_judged_by_the_ratio() -> None:
    bare = Beside("bare", 10)
    good = Row(what="good", figure=50, unit="ms", beside=bare, goal=Goal("<=", 6, of_ratio=True))
    bad = Row(what="bad", figure=70, unit="ms", beside=bare, goal=Goal("<=", 6, of_ratio=True))
    text = render([good, bad])
    assert line(text, "good").split() == [
        *("good", "50.0", "ms", "bare:", "10.0", "ms", "5.00", "x", "<=", "6", "x", "yes")
    ]
    assert line(text, "bad").split()[-1] == "NO"


def test_a_figure_is_judged_by_itself() -> None:
    rate = Row(what="rate", figure=1499, unit="/s", goal=Goal(">=", 1500))
    assert rate.is_met is False
    assert line(render([rate]), "rate").split() == ["rate", "1,499", "/s", ">=", "1500", "/s", "NO"]
    assert Row(what="plain", figure=1, unit="s").is_met is None


def test_what_was_taken_elsewhere_is_marked_so() -> None:
    text = render([Row(what="a", figure=1, unit="s", elsewhere="2 s")])
    assert "v1.5.2 here" not in text
    assert "on another machine" in text
    assert line(text, "a").split() == ["a", "1.00", "s", "2", "s"]


def test_the_original_of_the_same_run_has_a_column() -> None:
    rows = [
        Row(what="both", figure=1, unit="s", original=2),
        Row(what="one", figure=1, unit="s"),
        Row(what="idle", figure=1, unit="%", original=0),
    ]
    text = render(rows)
    assert "v1.5.2 here" in text
    assert line(text, "both").split() == ["both", "1.00", "s", "2.00", "s", "(0.50", "x)"]
    assert line(text, "one").split() == ["one", "1.00", "s"]
    assert line(text, "idle").split() == ["idle", "1.00", "%", "0.00", "%"]
