"""Whatever the template: it ends, with text or a TemplateError that names a place in it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bacalhau.lib.gotemplate import TemplateError, render

_WORDS = """{{ }} {{- -}} ( ) | := = , $ $x $x.a . .a .b .a.b "s" `r` 'c' 1 -1 1.5 0x1p2 1e9
    99999999999 true false nil if else end with range define template block break continue "t" and
    or not eq lt len index slice print printf println html js urlquery "%d" "%*.*f" "%[2]v" "%q"
    /* */ é \\"""
_PHRASES = [
    *(" ", "\n", " -}}", "{{if .a}}", "{{end}}", "{{range .}}", "{{range 100000000}}", "{{else}}"),
    *('{{define "t"}}', '{{template "t" .}}', "{{$x := .a}}", "{{.a}}"),
]
_PIECES = st.sampled_from([*_WORDS.split(), *_PHRASES])
_TEMPLATES = st.lists(_PIECES | st.text(max_size=5), max_size=25).map(" ".join) | st.lists(
    _PIECES, max_size=25
).map("".join)
_VARIABLES = st.dictionaries(st.sampled_from(["a", "b", "é"]), st.text(max_size=10))


@given(_TEMPLATES, _VARIABLES)
def test_only_template_errors_leave(template: str, variables: dict[str, str]) -> None:
    failure = None
    try:
        render(template, variables, max_work=50_000).encode()
    except TemplateError as exc:
        failure = exc
    if failure is not None:
        lines = template.split("\n")
        assert 1 <= failure.line <= len(lines)
        assert 1 <= failure.column <= len(lines[failure.line - 1]) + 1
        assert failure.reason in str(failure)
