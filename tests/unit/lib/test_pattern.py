"""Filters have the syntax and the meaning of RE2, not of Python's ``re``."""

from __future__ import annotations

import pytest

from bacalhau.lib.pattern import PatternError, compile_pattern


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("a$", "ba", True),
        ("a$", "a\n", False),
        ("(?m)a$", "a\nb", True),
        ("(?m)^b", "a\nb", True),
        (r"a\z", "ba", True),
        (r"\Aa", "ba", False),
        (r"^\d$", "3", True),
        (r"^\d$", "٣", False),
        (r"^\w$", "é", False),
        (r"^\s$", "\v", False),
        (r"^[\S]$", "\v", True),
        (r"(?i)\.txt$", "A.TXT", True),
        ("(?i)ÄB", "äb", True),
        ("a(?i)b|c", "aB", True),
        ("a(?i)b|c", "C", True),
        ("a(?i)b|c", "AB", False),
        ("(?:(?i)a)b", "AB", False),
        ("(?i-i:a)", "A", False),
        ("a.b", "a\nb", False),
        ("(?s)a.b", "a\nb", True),
        ("(?U)a+?", "a", True),
        (r"^\pL+$", "日本é", True),
        (r"^\p{Nd}$", "٣", True),
        (r"^\PL$", "1", True),
        (r"^\p{^L}$", "1", True),
        ("^[[:alpha:]]+$", "ab", True),
        ("^[[:^alpha:]]+$", "12", True),
        ("^[]a]+$", "]a", True),
        ("^[^]a]+$", "bc", True),
        ("^[a-]+$", "a-", True),
        ("(?P<n>x)", "x", True),
        ("(?<n>x)", "x", True),
        (r"\Qa.b\E+$", "a.bbb", True),
        (r"\Qa.b", "axb", False),
        ("a{,2}", "a{,2}", True),
        ("a{x}", "a{x}", True),
        (r"\x41\x{42}\103", "ABC", True),
        (r"\a\f\t\n\r\v", "\a\f\t\n\r\v", True),
        (r"\.\/\-\é", "./-é", True),
        (r"\B", "", True),
        ("", "", True),
        ("a||b", "", True),
        ("(|a)+", "", True),
        ("^*", "", True),
        ("x{0}", "", True),
    ],
)
def test_meaning(pattern: str, text: str, matches: bool) -> None:
    assert compile_pattern(pattern).matches(text) is matches


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [
        ("[", "missing closing ]: `[`"),
        ("[a", "missing closing ]: `[a`"),
        ("(a", "missing closing ): `(a`"),
        ("a)", "unexpected ): `a)`"),
        ("*a", "missing argument to repetition operator: `*`"),
        ("a|*", "missing argument to repetition operator: `*`"),
        ("a**", "invalid nested repetition operator: `**`"),
        ("a++", "invalid nested repetition operator: `++`"),
        ("a*+", "invalid nested repetition operator: `*+`"),
        ("a{2}{3}", "invalid nested repetition operator: `{2}{3}`"),
        ("a{1001}", "invalid repeat count: `{1001}`"),
        ("a{99999999999}", "invalid repeat count: `{99999999999}`"),
        ("a{2,1}", "invalid repeat count: `{2,1}`"),
        ("(?=0)", "invalid or unsupported Perl syntax: `(?=`"),
        ("(?!0)", "invalid or unsupported Perl syntax: `(?!`"),
        ("(?<=0)", "invalid or unsupported Perl syntax: `(?<`"),
        ("(?>0)", "invalid or unsupported Perl syntax: `(?>`"),
        ("(?P=n)", "invalid or unsupported Perl syntax: `(?P`"),
        ("(?P<>a)", "invalid named capture"),
        ("(?#c)", "invalid or unsupported Perl syntax: `(?#`"),
        (r"\1", r"invalid escape sequence: `\1`"),
        (r"\Z", r"invalid escape sequence: `\Z`"),
        (r"\xg", "invalid escape sequence"),
        (r"\x{110000}", "invalid escape sequence"),
        ("\\", "trailing backslash at end of expression"),
        ("[b-a]", "invalid character class range: `b-a`"),
        ("[[:word]:]]", "invalid character class range: `[:word]:]`"),
        ("[[:nope:]]", "invalid character class range: `[:nope:]`"),
        (r"\p{Greek}", r"invalid character class range: `\p{Greek}`"),
        ("(a{1000}){1000}", "expression too large"),
        ("(" * 200 + ")" * 200, "expression nests too deeply"),
    ],
)
def test_what_is_refused(pattern: str, problem: str) -> None:
    with pytest.raises(PatternError) as caught:
        compile_pattern(pattern)
    assert f"error parsing regexp: {problem}" in str(caught.value)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}b", "(a?){50}a{50}b"])
def test_hostile_patterns_take_linear_time(pattern: str) -> None:
    assert not compile_pattern(pattern).matches("a" * 5000 + "!")


def test_many_different_situations_are_forgotten_again() -> None:
    compiled = compile_pattern("(a|b)(a|b){11}c$")
    text = "".join("ab"[(n * n // 3) % 2] for n in range(20_000))
    assert not compiled.matches(text)
    assert compiled.matches(text + "c")
