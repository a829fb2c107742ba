"""Texts made fit for HTML, JavaScript and URLs, as the functions of Go's templates do it."""

from __future__ import annotations

from urllib.parse import quote_plus

from bacalhau.lib.gotemplate.literals import encoded

_HTML = str.maketrans(
    {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"'}
_JS_CODES = frozenset("<>&=")


def html(text: str) -> str:
    """Return a text that HTML shows as it is."""
    return text.translate(_HTML)


def js(text: str) -> str:
    """Return a text to put between the quotes of a JavaScript string."""
    return "".join(map(_js_letter, text))


def urlquery(text: str) -> str:
    """Return a text to put into the query of a URL."""
    return quote_plus(encoded(text))


def _js_letter(letter: str) -> str:
    if letter in _JS:
        return _JS[letter]
    code = ord(letter)
    if code < 0x20 or letter in _JS_CODES:
        return f"\\u{code:04X}"
    if 0xDC80 <= code <= 0xDCFF:
        return "\\uFFFD"
    if code < 0x80 or letter.isprintable():
        return letter
    return f"\\u{code:04X}"
