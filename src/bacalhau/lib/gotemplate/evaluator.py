"""Carrying a template out."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn, assert_never

from bacalhau.lib.gotemplate._comparison import CallError
from bacalhau.lib.gotemplate.failure import TemplateError, byte_column, place, shortened
from bacalhau.lib.gotemplate.functions import FUNCTIONS
from bacalhau.lib.gotemplate.literals import encoded
from bacalhau.lib.gotemplate.printing import shown
from bacalhau.lib.gotemplate.tree import (
    Action,
    Branch,
    Call,
    Chain,
    Command,
    Dot,
    Fields,
    Function,
    Jump,
    Literal,
    Node,
    Operand,
    Pipeline,
    Range,
    Template,
    Text,
    Variable,
)
from bacalhau.lib.gotemplate.values import Budget, WorkError, is_true, type_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bacalhau.lib.gotemplate.functions import Builtin
    from bacalhau.lib.gotemplate.values import Value

_STEP = 32
_MAX_DEPTH = 110


class _Absent(enum.Enum):
    """The end of a pipeline that has not begun: other than nothing, no value at all."""

    ABSENT = enum.auto()


_ABSENT = _Absent.ABSENT


class Evaluator:
    """One run of a template. ``units`` bounds what it may do: letters copied, and steps."""

    def __init__(self, template: Template, variables: Mapping[str, str], units: int) -> None:
        self._template = template
        self._data = variables
        self._budget = Budget(units)
        self._parts: list[str] = []
        self._variables: list[tuple[str, Value]] = []
        self._name = ""
        self._at: Node | Operand | Command = Dot(0)
        self._depth = 0

    def run(self) -> str:
        """Return the text that the template writes.

        Raises:
            TemplateError: with line and column.
        """
        self._variables = [("$", self._data)]
        try:
            self._walk(self._data, self._template.body)
        except WorkError:
            self._fail("the template does too much: an endless loop, or a text that grows")
        try:
            return encoded("".join(self._parts)).decode()
        except UnicodeError:
            self._fail("the result is not UTF-8 text")

    def _fail(self, reason: str, missing: str = "") -> NoReturn:
        source, offset = self._template.source, self._at.start
        line, column = place(source, offset)
        context, reason = shortened(str(self._at)), shortened(reason)
        where = f":{line}:{byte_column(source, offset)}"
        raise TemplateError(
            f'template: {where}: executing "{self._name}" at <{context}>: {reason}',
            reason=reason,
            is_syntax=False,
            line=line,
            column=column,
            missing=missing,
        )

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            self._fail(f"exceeded maximum template depth ({_MAX_DEPTH})")

    # Nodes. They return the jump that ends the loop around them, if any.

    def _walk(self, dot: Value, nodes: Iterable[Node]) -> str:
        self._enter()
        jump = ""
        for node in nodes:
            self._budget.spend(_STEP)
            jump = self._walk_node(dot, node)
            if jump:
                break
        self._depth -= 1
        return jump

    def _walk_node(self, dot: Value, node: Node) -> str:
        if isinstance(node, Text):
            self._write(node.text)
        elif isinstance(node, Action):
            value = self._pipeline(dot, node.pipeline)
            if not node.pipeline.variables:
                self._write("<no value>" if value is None else shown(value, self._budget))
        elif isinstance(node, Branch):
            return self._branch(dot, node)
        elif isinstance(node, Range):
            return self._range(dot, node)
        elif isinstance(node, Jump):
            return node.word
        else:
            self._call_template(dot, node)
        return ""

    def _write(self, text: str) -> None:
        self._budget.spend(len(text))
        self._parts.append(text)

    def _branch(self, dot: Value, node: Branch) -> str:
        known = len(self._variables)
        value = self._pipeline(dot, node.pipeline)
        if is_true(value):
            jump = self._walk(value if node.word == "with" else dot, node.body)
        else:
            jump = self._walk(dot, node.otherwise)
        del self._variables[known:]
        return jump

    def _range(self, dot: Value, node: Range) -> str:
        known = len(self._variables)
        pipeline = node.pipeline
        value = self._pipeline(dot, pipeline)
        jump = ""
        inner = len(self._variables)
        ran = False
        for key, item in self._items(value, len(pipeline.variables)):
            ran = True
            self._budget.spend(_STEP)
            self._set_loop_variables(pipeline, key, item)
            word = self._walk(item, node.body)
            del self._variables[inner:]
            if word == "break":
                break
        if not ran:
            jump = self._walk(dot, node.otherwise)
        del self._variables[known:]
        return jump

    def _items(self, value: Value, variables: int) -> Iterable[tuple[Value, Value]]:
        if value is None:
            return ()
        if isinstance(value, Mapping):
            return [(name, value[name]) for name in sorted(value, key=encoded)]
        if isinstance(value, int) and not isinstance(value, bool):
            if variables > 1:
                self._fail(f"can't use {value} to iterate over more than one variable")
            return ((index, index) for index in range(value))
        return self._fail(f"range can't iterate over {shown(value, self._budget)}")

    def _set_loop_variables(self, pipeline: Pipeline, key: Value, item: Value) -> None:
        names = pipeline.variables
        values = [item] if len(names) == 1 else [key, item]
        for back, name in enumerate(reversed(names), start=1):
            value = values[-back]
            if pipeline.is_assignment:
                self._assign(name, value)
            else:
                self._variables[-back] = (name, value)

    def _call_template(self, dot: Value, node: Call) -> None:
        self._at = node
        body = self._template.definitions.get(node.name)
        if body is None:
            self._fail(f'template "{node.name}" not defined')
        value = self._pipeline(dot, node.pipeline) if node.pipeline else None
        kept = self._variables, self._name
        self._variables, self._name = [("$", value)], node.name
        self._at = node
        self._walk(value, body)
        self._variables, self._name = kept

    # Expressions.

    def _pipeline(self, dot: Value, pipeline: Pipeline) -> Value:
        self._at = pipeline
        self._enter()
        value: Value | _Absent = _ABSENT
        for command in pipeline.commands:
            self._budget.spend(_STEP)
            value = self._command(dot, command, value)
        assert not isinstance(value, _Absent), "a pipeline has a command"
        for name in pipeline.variables:
            if pipeline.is_assignment:
                self._assign(name, value)
            else:
                self._variables.append((name, value))
        self._depth -= 1
        return value

    def _assign(self, name: str, value: Value) -> None:
        for index in range(len(self._variables) - 1, -1, -1):
            if self._variables[index][0] == name:
                self._variables[index] = (name, value)
                return
        self._fail(f"undefined variable: {name}")

    def _command(self, dot: Value, command: Command, final: Value | _Absent) -> Value:
        first, *rest = command.operands
        has_arguments = bool(rest) or final is not _ABSENT
        if isinstance(first, Function):
            self._at = first
            return self._call(dot, first, command, rest, final)
        if isinstance(first, Fields | Variable | Chain):
            return self._value(dot, first, has_arguments=has_arguments)
        if not isinstance(first, Pipeline):
            self._at = first
        if has_arguments:
            self._fail(f"can't give argument to non-function {first}")
        if isinstance(first, Literal) and first.written == "nil":
            self._fail("nil is not a command")
        return self._value(dot, first)

    def _value(self, dot: Value, operand: Operand, *, has_arguments: bool = False) -> Value:
        self._budget.spend(_STEP)
        if isinstance(operand, Pipeline):
            return self._pipeline(dot, operand)
        self._at = operand
        if isinstance(operand, Literal):
            if operand.value is None and operand.written != "nil":
                self._fail(f"{operand} overflows int")
            return operand.value
        if isinstance(operand, Dot):
            return dot
        if isinstance(operand, Fields):
            return self._fields(dot, operand.names, has_arguments=has_arguments)
        if isinstance(operand, Variable):
            return self._variable(operand, has_arguments=has_arguments)
        if isinstance(operand, Chain):
            value = self._value(dot, operand.operand)
            return self._fields(value, operand.names, has_arguments=has_arguments)
        if isinstance(operand, Function):
            return self._call(dot, operand, operand, [], _ABSENT)
        assert_never(operand)

    def _variable(self, variable: Variable, *, has_arguments: bool) -> Value:
        value = self._kept(variable.name)
        if variable.fields:
            return self._fields(value, variable.fields, has_arguments=has_arguments)
        if has_arguments:
            self._fail(f"can't give argument to non-function {variable}")
        return value

    def _kept(self, name: str) -> Value:
        for known, value in reversed(self._variables):
            if known == name:
                return value
        return self._fail(f"undefined variable: {name}")

    def _fields(self, value: Value, names: Sequence[str], *, has_arguments: bool) -> Value:
        for number, name in enumerate(names, start=1):
            if value is None:
                self._fail(f'nil data; no entry for key "{name}"')
            if not isinstance(value, Mapping):
                self._fail(f"can't evaluate field {name} in type {type_name(value)}")
            if has_arguments and number == len(names):
                self._fail(f"{name} is not a method but has arguments")
            if name not in value:
                self._fail(f'map has no entry for key "{name}"', missing=name)
            value = value[name]
        return value

    def _call(
        self,
        dot: Value,
        function: Function,
        call: Function | Command,
        operands: Sequence[Operand],
        final: Value | _Absent,
    ) -> Value:
        builtin = FUNCTIONS[function.name]
        self._check_count(function.name, builtin, len(operands) + (final is not _ABSENT))
        values: list[Value] = []
        for operand in operands:
            value = self._value(dot, operand)
            if builtin.takes_text and not values and not isinstance(value, str):
                self._refuse_text(operand, value)
            values.append(value)
            if function.name in ("and", "or") and is_true(value) == (function.name == "or"):
                return value
        if not isinstance(final, _Absent):
            if builtin.takes_text and not values and not isinstance(final, str):
                self._fail(f"wrong type for value; expected string; got {type_name(final)}")
            values.append(final)
        self._budget.spend(sum(len(value) for value in values if isinstance(value, str)))
        try:
            return builtin.run(values, self._budget)
        except CallError as exc:
            self._at = call
            self._fail(f"error calling {function.name}: {exc}")

    def _check_count(self, name: str, builtin: Builtin, count: int) -> None:
        most = builtin.maximum
        if count < builtin.minimum or (most is not None and count > most):
            least = "" if most is not None else "at least "
            wanted = f"{least}{builtin.minimum}"
            self._fail(f"wrong number of args for {name}: want {wanted} got {count}")

    def _refuse_text(self, operand: Operand, value: Value) -> NoReturn:
        if value is None:
            self._fail("cannot assign nil to string")
        if isinstance(operand, Literal):
            self._fail(f"expected string; found {operand}")
        self._fail(f"wrong type for value; expected string; got {type_name(value)}")
