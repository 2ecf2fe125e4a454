"""Python text laid out as ruff would lay it out, lines of at most 100."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 100
INDENT = "    "


@dataclass(frozen=True, slots=True)
class Call:
    """A call, or anything else with comma-separated parts in brackets.

    Attributes:
        head: What stands before the opening bracket.
        arguments: Each with the text before it, such as `kernel=`; "" for none.
    """

    head: str
    arguments: tuple[tuple[str, Expression], ...]


Expression = str | Call


def call(head: str, *positional: Expression, **named: Expression) -> Call:
    """A call of some arguments."""
    return Call(
        head,
        (
            *(("", value) for value in positional),
            *((f"{name}=", value) for name, value in named.items()),
        ),
    )


def flat(expression: Expression) -> str:
    """On one line."""
    if isinstance(expression, str):
        return expression
    inside = ", ".join(f"{before}{flat(value)}" for before, value in expression.arguments)
    return f"{expression.head}({inside})"


def lines(before: str, expression: Expression, after: str = "", depth: int = 0) -> list[str]:
    """A statement's lines.

    Args:
        before: Text in front of the expression.
        expression: What may be broken into lines.
        after: Text behind it.
        depth: Indentations.
    """
    indent = INDENT * depth
    whole = f"{indent}{before}{flat(expression)}{after}"
    if len(whole) <= WIDTH or isinstance(expression, str) or not expression.arguments:
        return [whole]
    opened, closed = f"{indent}{before}{expression.head}(", f"{indent}){after}"
    inside = ", ".join(f"{name}{flat(value)}" for name, value in expression.arguments)
    if len(indent) + len(INDENT) + len(inside) <= WIDTH:
        return [opened, f"{indent}{INDENT}{inside}", closed]
    parts = [
        line for name, value in expression.arguments for line in lines(name, value, ",", depth + 1)
    ]
    return [opened, *parts, closed]


def quoted(text: str) -> str:
    """A string's literal, in double quotes unless single ones need fewer escapes."""
    mark = "'" if text.count('"') > text.count("'") else '"'
    escaped = "".join(_escaped(sign, mark) for sign in text)
    return f"{mark}{escaped}{mark}"


def _escaped(sign: str, mark: str) -> str:
    if sign in (mark, "\\"):
        return f"\\{sign}"
    return sign if sign.isprintable() else repr(sign)[1:-1]


def strings(before: str, values: Sequence[str]) -> list[str]:
    """A statement's lines that end in a tuple of strings."""
    literals = [quoted(value) for value in values]
    comma = "," if len(literals) == 1 else ""
    whole = f"{before}({', '.join(literals)}{comma})"
    if len(whole) <= WIDTH:
        return [whole]
    return [f"{before}(", *(f"{INDENT}{literal}," for literal in literals), ")"]
