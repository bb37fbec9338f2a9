"""The conditions of `#if` and `#elif`: tokens in, a truth value out.

The arithmetic is that of C's intmax_t, wrapped to 64 bits. Names that are no macros count as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from flushproof.diagnostics import Diagnostic, InputError
from flushproof.frontend.constants import character, integer
from flushproof.frontend.macros import Expander, Macro
from flushproof.frontend.operators import PRECEDENCE
from flushproof.frontend.tokens import Kind, Token
from flushproof.source import Span

DEPTH = 60
_KCONFIG = {
    "IS_ENABLED": ("", "_MODULE"),
    "IS_REACHABLE": ("", "_MODULE"),
    "IS_BUILTIN": ("",),
    "IS_MODULE": ("_MODULE",),
}


class BadCondition(Diagnostic, frozen=True, kw_only=True):
    """A condition is not an integer expression."""

    CODE: ClassVar[str] = "FP0309"
    TITLE: ClassVar[str] = "bad condition: {problem}"
    problem: str


def holds(tokens: tuple[Token, ...], table: dict[str, Macro], directive: Token) -> bool:
    """Evaluate the condition after `directive` under the macros of `table`."""
    expanded = Expander(table).expand(_resolve(tokens, table))
    reader = _Reader(tuple(expanded), directive.span)
    return reader.whole() != 0


def configured(tokens: tuple[Token, ...], table: dict[str, Macro]) -> tuple[Token, ...]:
    """Replace `IS_ENABLED(X)` and its like in code, before any expansion, as `#if` takes them."""
    return _answered(tokens, table, _asked_in_code)


def _resolve(tokens: tuple[Token, ...], table: dict[str, Macro]) -> tuple[Token, ...]:
    """Replace `defined X`, `defined(X)` and `IS_ENABLED(X)` by 0 or 1, before any expansion."""
    return _answered(tokens, table, _asked)


def _answered(
    tokens: tuple[Token, ...],
    table: dict[str, Macro],
    asked: Callable[[tuple[Token, ...], int], tuple[str, int] | None],
) -> tuple[Token, ...]:
    """Replace by 0 or 1 what asks for a name; `asked` returns the name and how long that is."""
    result: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        question = None if token.text in _KCONFIG and token.text in table else asked(tokens, index)
        if question is None:
            result.append(token)
            index += 1
            continue
        name, width = question
        found = any(name + suffix in table for suffix in _KCONFIG.get(token.text, ("",)))
        result.append(Token(Kind.NUMBER, str(int(found)), token.span))
        index += width
    return tuple(result)


def _asked_in_code(tokens: tuple[Token, ...], index: int) -> tuple[str, int] | None:
    shape = [t.text for t in tokens[index + 1 : index + 4]]
    asks = tokens[index].text in _KCONFIG and shape[::2] == ["(", ")"]
    return (shape[1], 4) if asks else None


def _asked(tokens: tuple[Token, ...], index: int) -> tuple[str, int] | None:
    if tokens[index].text != "defined" and tokens[index].text not in _KCONFIG:
        return None
    match tokens[index + 1 : index + 4]:
        case (Token(text="("), Token(kind=Kind.NAME, text=name), Token(text=")")):
            return name, 4
        case (Token(kind=Kind.NAME, text=name), *_) if tokens[index].text == "defined":
            return name, 2
    problem = f"`{tokens[index].text}` wants one name in parentheses"
    raise InputError(BadCondition(span=tokens[index].span, problem=problem))


class _Reader:
    """Reads one expression; `live` is false in operands that C does not evaluate."""

    def __init__(self, tokens: tuple[Token, ...], place: Span) -> None:
        self._tokens = tokens
        self._place = place
        self._next = 0

    def whole(self) -> int:
        value = self._ternary(live=True, depth=0)
        if self._peek():
            raise self._error(f"unexpected `{self._peek()}`")
        return value

    def _peek(self) -> str:
        return self._tokens[self._next].text if self._next < len(self._tokens) else ""

    def _error(self, problem: str) -> InputError:
        known = self._next < len(self._tokens)
        span = self._tokens[self._next].span if known else self._place
        return InputError(BadCondition(span=span, problem=problem))

    def _expect(self, text: str) -> None:
        if self._peek() != text:
            found = f"`{self._peek()}`" if self._peek() else "the end of the line"
            raise self._error(f"expected `{text}`, found {found}")
        self._next += 1

    def _ternary(self, *, live: bool, depth: int) -> int:
        if depth > DEPTH:
            raise self._error(f"it nests deeper than {DEPTH} levels")
        condition = self._infix(1, live=live, depth=depth)
        if self._peek() != "?":
            return condition
        self._next += 1
        then = self._ternary(live=live and condition != 0, depth=depth + 1)
        self._expect(":")
        otherwise = self._ternary(live=live and condition == 0, depth=depth + 1)
        return then if condition else otherwise

    def _infix(self, level: int, *, live: bool, depth: int) -> int:
        left = self._prefix(live=live, depth=depth)
        while PRECEDENCE.get(self._peek(), 0) >= level:
            operator = self._peek()
            self._next += 1
            needed = live and (operator, left != 0) not in {("&&", False), ("||", True)}
            right = self._infix(PRECEDENCE[operator] + 1, live=needed, depth=depth)
            left = self._apply(operator, left, right) if needed else int(left != 0)
        return left

    def _prefix(self, *, live: bool, depth: int) -> int:
        signs = []
        while self._peek() in {"!", "-", "+", "~"}:
            signs.append(self._peek())
            self._next += 1
        value = self._primary(live=live, depth=depth)
        for sign in reversed(signs):
            value = {"!": int(value == 0), "-": -value, "+": value, "~": ~value}[sign]
        return value

    def _primary(self, *, live: bool, depth: int) -> int:
        if self._next >= len(self._tokens):
            raise self._error("an operand is missing at the end")
        token = self._tokens[self._next]
        if token.is_punct("("):
            self._next += 1
            value = self._ternary(live=live, depth=depth + 1)
            self._expect(")")
            return value
        value = self._operand(token)
        self._next += 1
        return value

    def _operand(self, token: Token) -> int:
        match token.kind:
            case Kind.NUMBER:
                return integer(token.text, token.span)[0]
            case Kind.CHAR:
                return character(token.text, token.span)
            case Kind.NAME if self._is_call():
                raise self._error(f"`{token.text}` is not a macro")
            case Kind.NAME:
                return int(token.text == "true")
            case _:
                raise self._error(f"unexpected `{token.text}`")

    def _is_call(self) -> bool:
        following = self._tokens[self._next + 1 : self._next + 2]
        return bool(following) and following[0].is_punct("(")

    def _apply(self, operator: str, left: int, right: int) -> int:
        if operator in {"/", "%"} and right == 0:
            raise self._error(f"division by zero in `{operator}`")
        if operator in {"<<", ">>"} and not 0 <= right < 64:
            raise self._error(f"shift by {right}")
        return _wrapped(_OPERATIONS[operator](left, right))


def _wrapped(value: int) -> int:
    return (value + (1 << 63)) % (1 << 64) - (1 << 63)


def _quotient(left: int, right: int) -> int:
    return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)


_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "||": lambda a, b: int(bool(a or b)),
    "&&": lambda a, b: int(bool(a and b)),
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "&": lambda a, b: a & b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    ">": lambda a, b: int(a > b),
    "<=": lambda a, b: int(a <= b),
    ">=": lambda a, b: int(a >= b),
    "<<": lambda a, b: a << b,
    ">>": lambda a, b: a >> b,
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _quotient,
    "%": lambda a, b: a - b * _quotient(a, b),
}
