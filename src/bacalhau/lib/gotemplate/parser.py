"""From the text of a template to its tree."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from bacalhau.lib.gotemplate._expressions import Expressions
from bacalhau.lib.gotemplate.lexer import Kind, Token
from bacalhau.lib.gotemplate.literals import unquoted
from bacalhau.lib.gotemplate.tree import (
    Action,
    Branch,
    Call,
    Jump,
    Node,
    Range,
    Template,
    Text,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from bacalhau.lib.gotemplate.tree import Pipeline

_ENDS = ("end", "else")
_MAX_BLOCKS = 100


def parse(source: str) -> Template:
    """Read a template.

    Raises:
        TemplateError: with line and column.
    """
    return _Parser(source).run()


class _Parser(Expressions):
    """Blocks; expressions are read by the class below it."""

    def __init__(self, source: str) -> None:
        super().__init__(source)
        self._template = Template(source)
        self._blocks = 0
        self._loops = 0

    def run(self) -> Template:
        nodes: list[Node] = []
        while self.peek().kind is not Kind.END:
            if self._defines():
                self._read_definition()
                continue
            node = self._read_node()
            if isinstance(node, Token):
                self.fail(f"unexpected {{{{{node.text}}}}}", node)
            nodes.append(node)
        return Template(self.source, tuple(nodes), self._template.definitions)

    def _defines(self) -> bool:
        if self.peek().kind is not Kind.OPEN:
            return False
        start = self.position
        self.next()
        if self.next_word().is_keyword("define"):
            return True
        self.position = start
        return False

    def _read_definition(self) -> None:
        name = self._read_name("define clause")
        self.expect(Kind.CLOSE, "define clause")
        kept, self.variables = self.variables, ["$"]
        body, end = self._read_list()
        self.variables = kept
        if end.text != "end":
            self.fail(f"unexpected {{{{{end.text}}}}} in define clause", end)
        self._define(name, body, end)

    def _define(self, name: str, body: tuple[Node, ...], end: Token) -> None:
        old = self._template.definitions.get(name, ())
        if _is_empty(old):
            self._template.definitions[name] = body
        elif not _is_empty(body):
            self.fail(f'template: multiple definition of template "{name}"', end)

    def _read_list(self) -> tuple[tuple[Node, ...], Token]:
        """Read up to ``end`` or ``else``; return which of them it is.

        Behind ``else`` everything up to the closing braces is still to be read, but for ``end``
        nothing is.
        """
        self._blocks += 1
        if self._blocks > _MAX_BLOCKS:
            self.fail(f"blocks are nested more than {_MAX_BLOCKS} deep")
        nodes: list[Node] = []
        while self.peek().kind is not Kind.END:
            node = self._read_node()
            if isinstance(node, Token):
                self._blocks -= 1
                return tuple(nodes), node
            nodes.append(node)
        return self.fail("unexpected EOF")

    def _read_node(self) -> Node | Token:
        """Read text or an action. The tokens ``end`` and ``else`` are returned as they are."""
        token = self.next_word() if self.peek().kind is Kind.SPACE else self.next()
        if token.kind is Kind.TEXT:
            return Text(token.start, token.text)
        if token.kind is not Kind.OPEN:
            self.unexpected(token, "input")
        mark = self.position
        word = self.next_word()
        if word.kind is Kind.KEYWORD and word.text in self._READERS:
            return self._READERS[word.text](self, word)
        self.position = mark
        start = self.peek_word().start
        return Action(start, self.read_pipeline("command", Kind.CLOSE))

    def _read_end(self, token: Token) -> Token:
        self.expect(Kind.CLOSE, "end")
        return token

    def _read_else(self, token: Token) -> Token:
        following = self.peek_word()
        if not following.is_keyword("if") and not following.is_keyword("with"):
            self.expect(Kind.CLOSE, "else")
        return token

    def _read_branch(self, token: Token) -> Branch:
        pipeline, body, otherwise = self._read_control(token)
        return Branch(token.start, token.text, pipeline, body, otherwise)

    def _read_range(self, token: Token) -> Range:
        pipeline, body, otherwise = self._read_control(token)
        return Range(token.start, pipeline, body, otherwise)

    def _read_control(self, token: Token) -> tuple[Pipeline, tuple[Node, ...], tuple[Node, ...]]:
        word = token.text
        known = len(self.variables)
        pipeline = self.read_pipeline(word, Kind.CLOSE)
        self._loops += word == "range"
        body, end = self._read_list()
        self._loops -= word == "range"
        otherwise: tuple[Node, ...] = ()
        if end.text == "else":
            otherwise = self._read_otherwise(word)
        del self.variables[known:]
        return pipeline, body, otherwise

    def _read_otherwise(self, word: str) -> tuple[Node, ...]:
        if word != "range" and self.peek_word().is_keyword(word):
            # `else if` is an `if` of its own in the other branch; one `end` closes both.
            self._blocks += 1
            if self._blocks > _MAX_BLOCKS:
                self.fail(f"blocks are nested more than {_MAX_BLOCKS} deep")
            branch = self._read_branch(self.next_word())
            self._blocks -= 1
            return (branch,)
        body, end = self._read_list()
        if end.text != "end":
            self.fail(f"expected end; found {{{{{end.text}}}}}", end)
        return body

    def _read_jump(self, token: Token) -> Jump:
        following = self.next_word()
        if following.kind is not Kind.CLOSE:
            self.unexpected(following, f"{{{{{token.text}}}}}")
        if not self._loops:
            self.fail(f"{{{{{token.text}}}}} outside {{{{range}}}}", token)
        return Jump(token.start, token.text)

    def _read_call(self, token: Token) -> Call:
        named = self.peek_word()
        name = self._read_name("template clause")
        pipeline = None
        if self.peek_word().kind is Kind.CLOSE:
            self.next_word()
        else:
            pipeline = self.read_pipeline("template clause", Kind.CLOSE)
        return Call(named.start, named.text, name, pipeline)

    def _read_block(self, token: Token) -> Call:
        named = self.peek_word()
        name = self._read_name("block clause")
        pipeline = self.read_pipeline("block clause", Kind.CLOSE)
        kept, self.variables = self.variables, ["$"]
        loops, self._loops = self._loops, 0
        body, end = self._read_list()
        self.variables, self._loops = kept, loops
        if end.text != "end":
            self.fail(f"unexpected {{{{{end.text}}}}} in block clause", end)
        self._define(name, body, end)
        return Call(named.start, named.text, name, pipeline)

    def _read_name(self, context: str) -> str:
        token = self.next_word()
        if token.kind not in (Kind.STRING, Kind.RAW_STRING):
            self.unexpected(token, context)
        try:
            return unquoted(token.text)
        except ValueError as exc:
            self.fail(str(exc), token)

    _READERS: ClassVar[dict[str, Callable[[_Parser, Token], Node | Token]]] = {
        "block": _read_block,
        "break": _read_jump,
        "continue": _read_jump,
        "else": _read_else,
        "end": _read_end,
        "if": _read_branch,
        "range": _read_range,
        "template": _read_call,
        "with": _read_branch,
    }


def _is_empty(body: tuple[Node, ...]) -> bool:
    return all(isinstance(node, Text) and not node.text.strip() for node in body)
