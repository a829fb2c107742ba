"""Reading what stands between ``{{`` and ``}}``: pipelines, commands, operands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from bacalhau.lib.gotemplate.failure import place, syntax_error
from bacalhau.lib.gotemplate.functions import FUNCTIONS
from bacalhau.lib.gotemplate.lexer import Kind, Token, read_tokens
from bacalhau.lib.gotemplate.literals import character, number, quoted, unquoted
from bacalhau.lib.gotemplate.tree import (
    Chain,
    Command,
    Dot,
    Fields,
    Function,
    Literal,
    Pipeline,
    Variable,
)

if TYPE_CHECKING:
    from bacalhau.lib.gotemplate.tree import Operand

_MAX_DEPTH = 50
_SHOWN_LETTERS = 10
_STARTS = frozenset(
    [
        Kind.BOOL,
        Kind.CHARACTER,
        Kind.DOT,
        Kind.FIELD,
        Kind.IDENTIFIER,
        Kind.LEFT,
        Kind.NUMBER,
        Kind.RAW_STRING,
        Kind.STRING,
        Kind.VARIABLE,
    ]
)


class Expressions:
    """A place in the tokens of a template, and the variables that are known there."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.position = 0
        self.variables = ["$"]
        self._tokens = read_tokens(source)
        self._action: int | None = None
        self._depth = 0

    def peek(self) -> Token:
        """Return the next token; behind the last one stands the last one again."""
        return self._tokens[min(self.position, len(self._tokens) - 1)]

    def next(self) -> Token:
        """Return the next token and step over it."""
        token = self.peek()
        self.position += 1
        if token.kind is Kind.OPEN:
            self._action = token.start
        elif token.kind is Kind.CLOSE:
            self._action = None
        return token

    def peek_word(self) -> Token:
        """Step over blanks and return the next token."""
        while self.peek().kind is Kind.SPACE:
            self.position += 1
        return self.peek()

    def next_word(self) -> Token:
        """Step over blanks and over the next token, which is returned."""
        self.peek_word()
        return self.next()

    def expect(self, kind: Kind, context: str) -> None:
        """Step over a token of a certain kind.

        Raises:
            TemplateError: it is another one.
        """
        token = self.next_word()
        if token.kind is not kind:
            self.unexpected(token, context)

    def fail(self, reason: str, token: Token | None = None) -> NoReturn:
        """Raise an error at a token, or at the next one."""
        token = token or self.peek()
        raise syntax_error(self.source, token.start, reason)

    def unexpected(self, token: Token, context: str) -> NoReturn:
        """Raise an error for a token that cannot stand where it does."""
        if token.kind is not Kind.ERROR:
            self.fail(f"unexpected {_shown(token)} in {context}", token)
        reason = token.text
        if self._action is not None:
            line, _ = place(self.source, self._action)
            if line != place(self.source, token.start)[0]:
                joint = "" if reason.endswith(" action") else " in action"
                reason += f"{joint} started at :{line}"
        self.fail(reason, token)

    def read_pipeline(self, context: str, end: Kind) -> Pipeline:
        """Read a pipeline with the token that ends it.

        Raises:
            TemplateError: it is malformed; ``context`` says what it belongs to.
        """
        start = self.peek_word().start
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self.fail(f"parentheses are nested more than {_MAX_DEPTH} deep")
        variables, is_assignment = self._read_declaration(context)
        commands: list[Command] = []
        while (token := self.peek_word()).kind is not end:
            if token.kind not in _STARTS and not token.is_keyword("nil"):
                self.unexpected(self.next(), context)
            commands.append(self._read_command())
        self._check_commands(commands, context)
        self.next()
        self._depth -= 1
        return Pipeline(start, tuple(variables), is_assignment, tuple(commands))

    def _check_commands(self, commands: list[Command], context: str) -> None:
        if not commands:
            self.fail(f"missing value for {context}")
        for stage, command in enumerate(commands[1:], start=2):
            first = command.operands[0]
            if isinstance(first, Literal | Dot):
                reason = f"non executable command in pipeline stage {stage}"
                raise syntax_error(self.source, first.start, reason)

    def _read_declaration(self, context: str) -> tuple[list[str], bool]:
        """Read ``$x :=``, ``$x =`` or, in a range, ``$x, $y :=``, if one stands here."""
        names: list[str] = []
        while (token := self.peek_word()).kind is Kind.VARIABLE:
            mark = self.position
            self.next()
            sign = self.next_word()
            if sign.kind in (Kind.DECLARE, Kind.ASSIGN):
                names.append(token.text)
                self.variables.append(token.text)
                return names, sign.kind is Kind.ASSIGN
            if sign.kind is not Kind.OTHER or sign.text != ",":
                self.position = mark
                break
            names.append(token.text)
            self.variables.append(token.text)
            if context != "range" or len(names) > 1:
                self.fail(f"too many declarations in {context}", sign)
            if self.peek_word().kind not in (Kind.VARIABLE, Kind.CLOSE, Kind.RIGHT):
                self.fail("range can only initialize variables")
        return names, False

    def _read_command(self) -> Command:
        start = self.peek_word().start
        operands: list[Operand] = []
        while True:
            self.peek_word()
            operand = self._read_operand()
            if operand is not None:
                operands.append(operand)
            token = self.next()
            if token.kind is Kind.SPACE:
                continue
            if token.kind in (Kind.CLOSE, Kind.RIGHT):
                self.position -= 1
            elif token.kind is not Kind.PIPE:
                self.unexpected(token, "operand")
            break
        if not operands:
            self.fail("empty command")
        return Command(start, tuple(operands))

    def _read_operand(self) -> Operand | None:
        operand = self._read_term()
        if operand is None or self.peek().kind is not Kind.FIELD:
            return operand
        start = self.peek().start
        names: list[str] = []
        while self.peek().kind is Kind.FIELD:
            names.append(self.next().text[1:])
        if isinstance(operand, Fields):
            return Fields(start, (*operand.names, *names))
        if isinstance(operand, Variable):
            return Variable(start, operand.name, tuple(names))
        if isinstance(operand, Literal | Dot):
            self.fail(f"unexpected . after term {quoted(str(operand))}")
        return Chain(start, operand, tuple(names))

    def _read_term(self) -> Operand | None:
        token = self.peek()
        if token.kind not in _STARTS and not token.is_keyword("nil"):
            return None
        self.next()
        start, text = token.start, token.text
        if token.kind is Kind.IDENTIFIER:
            if text not in FUNCTIONS:
                self.fail(f'function "{text}" not defined', token)
            return Function(start, text)
        if token.kind is Kind.VARIABLE:
            if text not in self.variables:
                self.fail(f'undefined variable "{text}"', token)
            return Variable(start, text)
        if token.kind is Kind.FIELD:
            return Fields(start, (text[1:],))
        if token.kind is Kind.DOT:
            return Dot(start)
        if token.kind is Kind.LEFT:
            return self.read_pipeline("parenthesized pipeline", Kind.RIGHT)
        return self._literal(token)

    def _literal(self, token: Token) -> Literal:
        text = token.text
        value: str | int | float | bool | None = None
        try:
            if token.kind is Kind.BOOL:
                value = text == "true"
            elif token.kind is Kind.CHARACTER:
                value = character(text)
            elif token.kind is Kind.NUMBER:
                value = number(text)
            elif token.kind is not Kind.KEYWORD:
                value = unquoted(text)
        except ValueError as exc:
            self.fail(str(exc), token)
        return Literal(token.start, text, value)


def _shown(token: Token) -> str:
    if token.kind is Kind.END:
        return "EOF"
    if token.kind in (Kind.KEYWORD, Kind.DOT):
        return f"<{token.text}>"
    if len(token.text) > _SHOWN_LETTERS:
        return quoted(token.text[:_SHOWN_LETTERS]) + "..."
    return quoted(token.text)
