"""From the text of a template to tokens: text, and what stands between ``{{`` and ``}}``."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

_BLANKS = " \t\r\n"
_OPEN = re.compile(r"\{\{(?P<trim>-(?=[ \t\r\n]))?")
_CLOSE = re.compile(r"\}\}|[ \t\r\n]-\}\}[ \t\r\n]*")
_END_OF_WORD = re.compile(r"[ \t\r\n.,|:()]|\}\}|\Z")
_NUMBER = (
    r"[+-]?(?:0[xX][0-9a-fA-F_]*(?:\.[0-9a-fA-F_]*)?(?:[pP][+-]?[0-9_]*)?"
    r"|0[oO][0-7_]*|0[bB][01_]*|[0-9_]*(?:\.[0-9_]*)?(?:[eE][+-]?[0-9_]*)?)i?"
)
_IMAGINARY = re.compile(r"[+-]" + _NUMBER)


class Kind(enum.Enum):
    """What a token is."""

    TEXT = enum.auto()
    OPEN = enum.auto()
    CLOSE = enum.auto()
    SPACE = enum.auto()
    DECLARE = enum.auto()
    ASSIGN = enum.auto()
    PIPE = enum.auto()
    LEFT = enum.auto()
    RIGHT = enum.auto()
    STRING = enum.auto()
    RAW_STRING = enum.auto()
    CHARACTER = enum.auto()
    NUMBER = enum.auto()
    VARIABLE = enum.auto()
    FIELD = enum.auto()
    DOT = enum.auto()
    BOOL = enum.auto()
    KEYWORD = enum.auto()
    IDENTIFIER = enum.auto()
    OTHER = enum.auto()
    ERROR = enum.auto()
    END = enum.auto()


KEYWORDS = frozenset(
    [
        "block",
        "break",
        "continue",
        "define",
        "else",
        "end",
        "if",
        "nil",
        "range",
        "template",
        "with",
    ]
)

_SPELLING = {
    Kind.SPACE: r"[ \t\r\n]+(?=[ \t\r\n]-\}\})|[ \t\r\n]+",
    Kind.DECLARE: r":=",
    Kind.ASSIGN: r"=",
    Kind.PIPE: r"\|",
    Kind.LEFT: r"\(",
    Kind.RIGHT: r"\)",
    Kind.STRING: r'"(?:[^"\\\n]|\\[^\n])*"',
    Kind.RAW_STRING: r"`[^`]*`",
    Kind.CHARACTER: r"'(?:[^'\\\n]|\\[^\n])*'",
    Kind.NUMBER: r"(?=[+\-0-9]|\.[0-9])" + _NUMBER,
    Kind.VARIABLE: r"\$\w*",
    Kind.FIELD: r"\.\w+",
    Kind.DOT: r"\.",
    Kind.IDENTIFIER: r"\w+",
    Kind.OTHER: r"[!#%&*,/;<>?@\[\\\]^{}~]",
}
_TOKEN = re.compile("|".join(f"(?P<{kind.name}>{text})" for kind, text in _SPELLING.items()))
_WORDS = (Kind.VARIABLE, Kind.FIELD, Kind.DOT, Kind.IDENTIFIER)
_UNFINISHED = {
    '"': "unterminated quoted string",
    "`": "unterminated raw quoted string",
    "'": "unterminated character constant",
    ":": "expected :=",
}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a template. ``start`` is its offset in characters.

    The text of an ``ERROR`` says what is wrong. It is the last token, as ``END`` is otherwise.
    """

    kind: Kind
    text: str
    start: int

    def is_keyword(self, word: str) -> bool:
        """Tell whether this is a certain keyword."""
        return self.kind is Kind.KEYWORD and self.text == word


def read_tokens(source: str) -> list[Token]:
    """Split a template into tokens. Text that trim markers remove is not among them."""
    return _Lexer(source).run()


class _Lexer:
    def __init__(self, source: str) -> None:
        self._source = source
        self._position = 0
        self._tokens: list[Token] = []

    def run(self) -> list[Token]:
        source = self._source
        while not self._has_ended():
            opening = _OPEN.search(source, self._position)
            if opening is None:
                self._add_text(source[self._position :])
                self._add(Kind.END, "EOF", len(source))
                break
            text = source[self._position : opening.start()]
            self._add_text(text.rstrip(_BLANKS) if opening["trim"] else text)
            self._position = opening.end()
            comment = opening.end() + bool(opening["trim"])
            if source.startswith("/*", comment):
                self._skip_comment(comment)
            else:
                self._add(Kind.OPEN, "{{", opening.start())
                self._read_action()
        return self._tokens

    def _has_ended(self) -> bool:
        return bool(self._tokens) and self._tokens[-1].kind in (Kind.END, Kind.ERROR)

    def _add(self, kind: Kind, text: str, start: int) -> None:
        self._tokens.append(Token(kind, text, start))

    def _add_text(self, text: str) -> None:
        if text:
            self._add(Kind.TEXT, text, self._position)

    def _skip_comment(self, start: int) -> None:
        end = self._source.find("*/", start + 2)
        if end < 0:
            self._add(Kind.ERROR, "unclosed comment", start)
        elif not self._close(end + 2):
            self._add(Kind.ERROR, "comment ends before closing delimiter", start)

    def _close(self, offset: int) -> bool:
        """Step over ``}}``, with what its trim marker removes, if it stands at an offset."""
        closing = _CLOSE.match(self._source, offset)
        if closing:
            self._position = closing.end()
        return closing is not None

    def _read_action(self) -> None:
        depth = 0
        while not self._has_ended():
            start = self._position
            if self._close(start):
                if depth:
                    self._add(Kind.ERROR, "unclosed left paren", start)
                else:
                    self._add(Kind.CLOSE, "}}", start)
                return
            self._read_token(start)
            kind = self._tokens[-1].kind
            depth += (kind is Kind.LEFT) - (kind is Kind.RIGHT)
            if depth < 0:
                self._tokens[-1] = Token(Kind.ERROR, "unexpected right paren", start)

    def _read_token(self, start: int) -> None:
        match = _TOKEN.match(self._source, start)
        if match is None or match.lastgroup is None:
            self._add(Kind.ERROR, self._complaint(start), start)
            return
        kind, text = Kind[match.lastgroup], match[0]
        self._position = match.end()
        if kind in _WORDS:
            self._add_word(kind, text, start)
        elif kind is Kind.NUMBER:
            self._add_number(text, start)
        else:
            self._add(kind, text, start)

    def _complaint(self, start: int) -> str:
        if start >= len(self._source):
            return "unclosed action"
        letter = self._source[start]
        unfinished = _UNFINISHED.get(letter)
        return unfinished or f"unrecognized character in action: {_code_point(letter)}"

    def _add_word(self, kind: Kind, text: str, start: int) -> None:
        end = self._position
        if not _END_OF_WORD.match(self._source, end):
            self._add(Kind.ERROR, f"bad character {_code_point(self._source[end])}", end)
        elif kind is Kind.IDENTIFIER and text in KEYWORDS:
            self._add(Kind.KEYWORD, text, start)
        elif kind is Kind.IDENTIFIER and text in ("true", "false"):
            self._add(Kind.BOOL, text, start)
        else:
            self._add(kind, text, start)

    def _add_number(self, text: str, start: int) -> None:
        imaginary = _IMAGINARY.match(self._source, self._position)
        if imaginary:
            text += imaginary[0]
        after = self._source[start + len(text) : start + len(text) + 1]
        if after == "_" or after.isalnum():
            self._add(Kind.ERROR, f'bad number syntax: "{text}{after}"', start)
        elif imaginary and not text.endswith("i"):
            self._add(Kind.ERROR, f'bad number syntax: "{text}"', start)
        else:
            self._position = start + len(text)
            self._add(Kind.NUMBER, text, start)


def _code_point(letter: str) -> str:
    shown = f" '{letter}'" if letter.isprintable() else ""
    return f"U+{ord(letter):04X}{shown}"
