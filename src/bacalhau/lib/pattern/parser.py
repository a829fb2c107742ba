"""The syntax of RE2, the regular expressions of filters (spec storage.md 3.5).

Text becomes a tree. Error texts are those of Go's parser.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bacalhau.lib.pattern.classes import PERL, POSIX
from bacalhau.lib.pattern.tree import (
    CharPart,
    Chars,
    Choice,
    Group,
    Node,
    Place,
    Ranges,
    Repeat,
    Sequence,
)

_MAX_DEPTH = 100
_MAX_REPEAT = 1000
_MAX_DIGITS = 8
_LAST_CODE = 0x10FFFF
_QUANTIFIERS = "*+?"
_CONTROL = {"a": 7, "f": 12, "t": 9, "n": 10, "r": 13, "v": 11}
_CATEGORIES = {"L", "M", "N", "P", "S", "Z", "C"}


class PatternError(ValueError):
    """A text that is not a regular expression of RE2."""


@dataclass(frozen=True, slots=True)
class _Flags:
    folded: bool = False
    multiline: bool = False
    dot_all: bool = False
    lazy: bool = False


def parse(pattern: str) -> Node:
    """Return the tree of a regular expression.

    Raises:
        PatternError: with a text that says what is wrong, and where.
    """
    parser = _Parser(pattern)
    node = parser.alternation(depth=0)
    if parser.position < len(pattern):
        raise _error("unexpected )", pattern)
    return node


def _error(problem: str, excerpt: str) -> PatternError:
    return PatternError(f"error parsing regexp: {problem}: `{excerpt}`")


class _Parser:
    """A position in a pattern, moved by what it reads."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.position = 0
        self._flags = _Flags()
        self._groups = 0

    def alternation(self, depth: int) -> Node:
        """Read up to the end of the group, or of the pattern."""
        if depth > _MAX_DEPTH:
            raise _error("expression nests too deeply", self._pattern)
        branches = [self._sequence(depth)]
        while self._take("|"):
            branches.append(self._sequence(depth))
        return branches[0] if len(branches) == 1 else Choice(tuple(branches))

    def _sequence(self, depth: int) -> Node:
        items: list[Node] = []
        while self.position < len(self._pattern) and self._peek() not in "|)":
            if self._take("\\Q"):
                items.extend(self._quoted())
                continue
            atom = self._atom(depth)
            if atom is not None:
                items.append(self._quantified(atom))
        return Sequence(tuple(items))

    def _atom(self, depth: int) -> Node | None:
        """Read one item; None for a change of flags."""
        start = self.position
        char = self._next()
        if char == "(":
            return self._group(depth, start)
        if char == "[":
            return self._set(start)
        if char == "\\":
            return self._escape(start)
        if char in _QUANTIFIERS or (char == "{" and self._count_at(start) is not None):
            raise _error("missing argument to repetition operator", char)
        return self._plain(char)

    def _plain(self, char: str) -> Node:
        if char == "^":
            return Place.LINE_START if self._flags.multiline else Place.TEXT_START
        if char == "$":
            return Place.LINE_END if self._flags.multiline else Place.TEXT_END
        if char == ".":
            excluded: Ranges = () if self._flags.dot_all else ((10, 10),)
            return Chars((CharPart(excluded),), negated=True)
        return self._literal(ord(char))

    def _literal(self, code: int) -> Chars:
        return Chars((CharPart(((code, code),)),), folded=self._flags.folded)

    # --- repetition ---

    def _quantified(self, atom: Node) -> Node:
        start = self.position
        limits = self._limits()
        if limits is None:
            return atom
        lazy = self._take("?") != self._flags.lazy
        if self._limits() is not None:
            excerpt = self._pattern[start : self.position]
            raise _error("invalid nested repetition operator", excerpt)
        return Repeat(atom, *limits, lazy)

    def _limits(self) -> tuple[int, int | None] | None:
        char = self._peek()
        if char and char in _QUANTIFIERS:
            self.position += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[char]
        counted = self._count_at(self.position) if char == "{" else None
        if counted is None:
            return None
        minimum, maximum, end = counted
        excerpt = self._pattern[self.position : end]
        self.position = end
        if max(minimum, maximum or 0) > _MAX_REPEAT or (maximum is not None and maximum < minimum):
            raise _error("invalid repeat count", excerpt)
        return minimum, maximum

    def _count_at(self, start: int) -> tuple[int, int | None, int] | None:
        """Read ``{n}``, ``{n,}`` or ``{n,m}``; anything else is ordinary text."""
        end = self._pattern.find("}", start)
        low, comma, high = self._pattern[start + 1 : end].partition(",")
        if end < 0 or not _is_number(low) or (high and not _is_number(high)):
            return None
        if not comma:
            return _count(low), _count(low), end + 1
        return _count(low), _count(high) if high else None, end + 1

    # --- groups ---

    def _group(self, depth: int, start: int) -> Node | None:
        outside = self._flags
        number = self._groups + 1
        if self._take("?") and not self._is_named(start):
            number = 0
            if self._set_flags(start):  # `(?i)`: the rest of the group around it has them
                return None
        self._groups = max(self._groups, number)
        node = self.alternation(depth + 1)
        if not self._take(")"):
            raise _error("missing closing )", self._pattern)
        self._flags = outside
        return Group(node, number) if number else node

    def _is_named(self, start: int) -> bool:
        """Read the name that follows ``(?``, if it is one."""
        if self._take("P<") or (self._peek() == "<" and self._peek(1) not in ("=", "!")):
            self._take("<")
            end = self._pattern.find(">", self.position)
            name = self._pattern[self.position : end] if end >= 0 else ""
            if not name or not name.replace("_", "a").isalnum():
                raise _error("invalid named capture", self._pattern[start:])
            self.position = end + 1
            return True
        return False

    def _set_flags(self, start: int) -> bool:
        """Read the flags that follow ``(?``; True when the group has no content."""
        value = True
        flags = self._flags
        while (char := self._next_or_end()) not in ("", ":", ")"):
            if char == "-" and value:
                value = False
            elif char in "imsU":
                flags = _with_flag(flags, char, value)
            else:
                break
        else:
            if char:
                self._flags = flags
                return char == ")"
        excerpt = self._pattern[start : self.position]
        raise _error("invalid or unsupported Perl syntax", excerpt)

    # --- escapes ---

    def _escape(self, start: int) -> Node:
        char = self._peek()
        if not char:
            raise _error("trailing backslash at end of expression", "")
        if char in "AzbB":
            self.position += 1
            edges = {"b": Place.WORD_EDGE, "B": Place.NO_WORD_EDGE}
            return edges.get(char) or (Place.TEXT_START if char == "A" else Place.TEXT_END)
        part = self._class_escape(start)
        if part is not None:
            return Chars((part,), folded=self._flags.folded)
        return self._literal(self._code_escape(start))

    def _quoted(self) -> list[Node]:
        """Read literal text up to ``\\E``; a repetition behind it concerns its last character."""
        end = self._pattern.find("\\E", self.position)
        text = self._pattern[self.position : end if end >= 0 else None]
        self.position = end + 2 if end >= 0 else len(self._pattern)
        literals: list[Node] = [self._literal(ord(char)) for char in text]
        return [*literals[:-1], *map(self._quantified, literals[-1:])]

    def _class_escape(self, start: int) -> CharPart | None:
        """Read ``\\d``, ``\\pL`` and the like behind a backslash."""
        char = self._peek()
        if char.lower() in PERL:
            self.position += 1
            return CharPart(PERL[char.lower()], negated=char.isupper())
        if char not in ("p", "P"):
            return None
        self.position += 1
        name = self._next_or_end()
        if name == "{":
            end = self._pattern.find("}", self.position)
            name = self._pattern[self.position : end] if end >= 0 else ""
            self.position = end + 1
        negated = (char == "P") != name.startswith("^")
        name = name.removeprefix("^")
        if name[:1] not in _CATEGORIES or len(name) > 2:
            raise _error("invalid character class range", self._pattern[start : self.position])
        return CharPart(category=name, negated=negated)

    def _code_escape(self, start: int) -> int:
        """Read an escape that stands for one character, behind its backslash."""
        char = self._next_or_end()
        if char in _CONTROL:
            return _CONTROL[char]
        if char == "x":
            return self._hexadecimal(start)
        if char and char in "01234567":
            digits = char
            while len(digits) < 3 and self._peek() and self._peek() in "01234567":
                digits += self._next()
            if len(digits) > 1 or char == "0":
                return int(digits, 8)
        elif char and (ord(char) >= 128 or not (char.isalnum())):
            return ord(char)
        raise _error("invalid escape sequence", self._pattern[start : self.position])

    def _hexadecimal(self, start: int) -> int:
        if self._take("{"):
            end = self._pattern.find("}", self.position)
            digits = self._pattern[self.position : end] if end >= 0 else ""
            self.position = end + 1 if end >= 0 else len(self._pattern)
        else:
            digits = self._pattern[self.position : self.position + 2]
            self.position += 2
            if len(digits) < 2:
                digits = ""
        if digits and all(digit in "0123456789abcdefABCDEF" for digit in digits):
            code = int(digits, 16)
            if code <= _LAST_CODE:
                return code
        raise _error("invalid escape sequence", self._pattern[start : self.position])

    # --- sets ---

    def _set(self, start: int) -> Chars:
        negated = self._take("^")
        parts: list[CharPart] = []
        first = True
        while first or self._peek() != "]":
            if not self._peek():
                raise _error("missing closing ]", self._pattern[start:])
            parts.append(self._set_item())
            first = False
        self.position += 1
        return Chars(tuple(parts), negated=negated, folded=self._flags.folded)

    def _set_item(self) -> CharPart:
        start = self.position
        if self._pattern.startswith("[:", start):
            part = self._posix(start)
            if part is not None:
                return part
        if self._peek() == "\\":
            self.position += 1
            part = self._class_escape(start)
            if part is not None:
                return part
            self.position = start
        low = self._set_char()
        high = low
        if self._peek() == "-" and self._peek(1) not in ("]", ""):
            self.position += 1
            high = self._set_char()
        if high < low:
            excerpt = self._pattern[start : self.position]
            raise _error("invalid character class range", excerpt)
        return CharPart(((low, high),))

    def _posix(self, start: int) -> CharPart | None:
        end = self._pattern.find(":]", start + 2)
        if end < 0:
            return None
        name = self._pattern[start + 2 : end]
        ranges = POSIX.get(name.removeprefix("^"))
        if ranges is None:
            raise _error("invalid character class range", self._pattern[start : end + 2])
        self.position = end + 2
        return CharPart(ranges, negated=name.startswith("^"))

    def _set_char(self) -> int:
        start = self.position
        char = self._next_or_end()
        if not char:
            raise _error("missing closing ]", self._pattern)
        return self._code_escape(start) if char == "\\" else ord(char)

    # --- reading ---

    def _peek(self, ahead: int = 0) -> str:
        return self._pattern[self.position + ahead : self.position + ahead + 1]

    def _next(self) -> str:
        self.position += 1
        return self._pattern[self.position - 1]

    def _next_or_end(self) -> str:
        return self._next() if self.position < len(self._pattern) else ""

    def _take(self, text: str) -> bool:
        if self._pattern.startswith(text, self.position):
            self.position += len(text)
            return True
        return False


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")


def _count(digits: str) -> int:
    """Return a number; what is longer than any that is allowed need not be read in full."""
    return int(digits[:_MAX_DIGITS])


def _with_flag(flags: _Flags, char: str, value: bool) -> _Flags:
    if char == "i":
        return replace(flags, folded=value)
    if char == "m":
        return replace(flags, multiline=value)
    return replace(flags, dot_all=value) if char == "s" else replace(flags, lazy=value)
