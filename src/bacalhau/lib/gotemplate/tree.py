"""What a template consists of, once it is read. ``str()`` of an expression is its source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, number or truth value; ``written`` is how the template spells it.

    ``value`` is None for ``nil`` and for a whole number that is too large.
    """

    start: int
    written: str
    value: str | int | float | bool | None

    def __str__(self) -> str:
        return self.written


@dataclass(frozen=True, slots=True)
class Dot:
    """What the template looks at: ``.``."""

    start: int

    def __str__(self) -> str:
        return "."


@dataclass(frozen=True, slots=True)
class Fields:
    """Fields of what the template looks at, such as ``.name``."""

    start: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Variable:
    """A variable and perhaps its fields, such as ``$x.name``."""

    start: int
    name: str
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        return ".".join((self.name, *self.fields))


@dataclass(frozen=True, slots=True)
class Chain:
    """Fields of a parenthesised pipeline or of a function's result."""

    start: int
    operand: Operand
    names: tuple[str, ...]

    def __str__(self) -> str:
        return _argument(self.operand) + "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Function:
    """The name of a function."""

    start: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Command:
    """An operand, or a function with its arguments."""

    start: int
    operands: tuple[Operand, ...]

    def __str__(self) -> str:
        return " ".join(map(_argument, self.operands))


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each of which gets the value of the one before; perhaps kept in variables."""

    start: int
    variables: tuple[str, ...]
    is_assignment: bool
    commands: tuple[Command, ...]

    def __str__(self) -> str:
        kept = ", ".join(self.variables)
        sign = (" = " if self.is_assignment else " := ") if kept else ""
        return kept + sign + " | ".join(map(str, self.commands))


Operand: TypeAlias = Literal | Dot | Fields | Variable | Chain | Function | Pipeline


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is copied."""

    start: int
    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose value is written, unless variables keep it."""

    start: int
    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Branch:
    """``if`` or ``with``; ``word`` says which."""

    start: int
    word: str
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A loop."""

    start: int
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Jump:
    """``break`` or ``continue``; ``word`` says which."""

    start: int
    word: str


@dataclass(frozen=True, slots=True)
class Call:
    """Another template, carried out here."""

    start: int
    written: str
    name: str
    pipeline: Pipeline | None

    def __str__(self) -> str:
        argument = f" {self.pipeline}" if self.pipeline else ""
        return f"{{{{template {self.written}{argument}}}}}"


Node: TypeAlias = Text | Action | Branch | Range | Jump | Call


@dataclass(frozen=True, slots=True)
class Template:
    """A template and those that it defines, by their names."""

    source: str
    body: tuple[Node, ...] = ()
    definitions: dict[str, tuple[Node, ...]] = field(default_factory=dict)


def _argument(operand: Operand) -> str:
    return f"({operand})" if isinstance(operand, Pipeline) else str(operand)
