"""Where templates are ours: places in the file, bounds, and what is left out."""

from __future__ import annotations

import pytest

from bacalhau.lib.gotemplate import TemplateError, render


def failure(template: str, **variables: str) -> TemplateError:
    with pytest.raises(TemplateError) as caught:
        render(template, variables)
    return caught.value


@pytest.mark.parametrize(
    ("template", "line", "column"),
    [
        ("{{.nope}}", 1, 3),
        ("a: b\nc: é {{.nope}}", 2, 8),
        ("a\n  {{if .nope}}{{end}}", 2, 8),
        ("a\n{{.start-time}}", 2, 9),
        ("a\n{{if true}}\nb", 3, 2),
        ('a\n{{env "x"}}', 2, 3),
        ("{{true\n| 1\n}}", 2, 3),
    ],
)
def test_errors_name_line_and_column(template: str, line: int, column: int) -> None:
    error = failure(template)
    assert (error.line, error.column) == (line, column)


def test_a_missing_variable_is_named() -> None:
    assert failure("{{.nope}}").missing == "nope"
    assert failure("{{if $.nope}}{{end}}").missing == "nope"
    assert failure("{{.a.b}}", a="x").missing == ""


def test_values_are_pasted_as_they_are() -> None:
    assert render("x: {{.a}}", {"a": "b: {{.c}}\n"}) == "x: b: {{.c}}\n"


def test_a_text_without_braces_is_itself() -> None:
    assert render("a } b\r\n", {}) == "a } b\r\n"


@pytest.mark.parametrize(
    "template",
    [
        "{{range 1000000000}}{{end}}",
        "{{range 1000000}}{{range 1000000}}{{end}}{{end}}",
        '{{$x := "aaaaaaaa"}}{{range 100}}{{$x = print $x $x}}{{end}}',
        '{{$x := "aaaaaaaa"}}{{range 100}}{{$x = js $x $x}}{{end}}',
        '{{$x := printf "%99999s" "é"}}{{range 100000}}{{len $x}}{{end}}',
        '{{$x := printf "%99999s" "é"}}{{range 100000}}{{if lt $x $x}}{{end}}{{end}}',
        '{{printf "' + "%99999d" * 10_000 + '"' + " 1" * 10_000 + "}}",
    ],
)
def test_work_is_bounded(template: str) -> None:
    with pytest.raises(TemplateError, match="the template does too much"):
        render(template, {}, max_work=1_000_000)


@pytest.mark.parametrize(
    "template",
    [
        "{{" + "(" * 100_000,
        "{{" + "(" * 60 + "1" + ")" * 60 + "}}",
        "{{if true}}" * 10_000,
        "{{if false}}" + "{{else if false}}" * 10_000 + "{{end}}",
        '{{define "a"}}{{template "a"}}{{end}}{{template "a"}}',
        '{{define "a"}}{{if true}}{{template "a"}}{{end}}{{end}}{{template "a"}}',
        "{{-  " * 10_000,
        "{{/*" * 10_000,
        '{{"' + "\\x" * 10_000 + '"}}',
        "{{" + "9" * 10_000 + "}}",
        "{{1e" + "9" * 10_000 + "}}",
    ],
)
def test_depth_and_length_are_no_danger(template: str) -> None:
    assert len(str(failure(template))) < 1_000


def test_nesting_of_a_fair_depth_works() -> None:
    deep = "{{" + "(" * 40 + ".a" + ")" * 40 + "}}"
    assert render(deep, {"a": "x"}) == "x"
    assert render("{{if .a}}" * 90 + "y" + "{{end}}" * 90, {"a": "x"}) == "y"


def test_a_result_that_is_no_text_is_refused() -> None:
    assert failure('{{slice "é" 0 1}}').reason == "the result is not UTF-8 text"


def test_complex_numbers_are_left_out() -> None:
    assert failure("{{1i}}").reason == 'complex numbers are not supported: "1i"'
