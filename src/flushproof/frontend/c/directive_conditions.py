"""The conditions of `#if` and `#elif`: tokens in, a truth value out.

Numbers are C's intmax_t or uintmax_t, of 64 bits, and one that is unsigned makes the result so
(C11 6.10.1, 6.3.1.8). Sums wrap around and wide shifts give what is left, as with gcc. Names that
are no macros count as 0; those that only a compiler knows are refused.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from typing import ClassVar

from flushproof.frontend.c.constants import decode_character, decode_integer
from flushproof.frontend.c.macros import Expander, Macro
from flushproof.frontend.c.operators import PRECEDENCE
from flushproof.frontend.c.tokens import Token, TokenKind
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.record import Record, replace
from flushproof.support.source import Span

DEPTH = 60
_BITS = 64
_PREDEFINED = re.compile(
    r"""linux | unix | _LP64 | __(?:
        (?:linux|unix|gnu_linux|x86_64|amd64|k8|i386|pic|PIC|pie|PIE|SEG_\w+)(?:__)?
        | (?:KERNEL|LP64|ELF|CET|FXSR|VERSION|OPTIMIZE(?:_SIZE)?|NO_INLINE|CHAR_UNSIGNED)__
        | (?:LINE|FILE|DATE|TIME|TIMESTAMP|COUNTER|BASE_FILE|FILE_NAME|INCLUDE_LEVEL)__
        | (?:BYTE|ORDER|FLOAT_WORD|SIZEOF|GCC|GXX|PRAGMA|USER_LABEL|REGISTER|BIGGEST)_\w+__
        | (?:U?INT|SIZE|PTRDIFF|WCHAR|WINT|SIG_ATOMIC|S?CHAR|SHRT|LONG|FLT|L?DBL|DEC)\w*_\w+__
        | (?:STDC|GNUC|GNUG|clang|SSE|MMX|AVX|SANITIZE|code_model|has)\w* | cplusplus )""",
    re.VERBOSE,
)
"""Macros of the compiler, and what it asks of itself in a condition."""
_KCONFIG = {
    "IS_ENABLED": ("", "_MODULE"),
    "IS_REACHABLE": ("", "_MODULE"),
    "IS_BUILTIN": ("",),
    "IS_MODULE": ("_MODULE",),
}
ASKING = frozenset({"defined", *_KCONFIG})
"""What asks of a name whether it is a macro."""


class BadCondition(Diagnostic, frozen=True, kw_only=True):
    """A condition is not an integer expression."""

    CODE: ClassVar[str] = "FP0309"
    TITLE: ClassVar[str] = "bad condition: {problem}"
    problem: str


def evaluate_condition(
    tokens: tuple[Token, ...], table: dict[str, Macro], directive: Token
) -> bool:
    """Evaluate the condition after `directive` under the macros of `table`."""
    expanded = Expander(table).expand(_resolve(tokens, table))
    reader = _ConditionReader(tuple(expanded), directive.span)
    return reader.whole() != 0


def replace_is_enabled(tokens: tuple[Token, ...], table: dict[str, Macro]) -> tuple[Token, ...]:
    """Replace `IS_ENABLED(X)` and its like in code, before any expansion, as `#if` takes them."""
    return _answered(tokens, table, _asked_in_code)


def list_options_off(tokens: tuple[Token, ...], table: dict[str, Macro]) -> frozenset[str]:
    """Return the names that `IS_ENABLED(X)` and its like ask for in code and that are no macros."""
    asked = (_asked_in_code(tokens, k) for k in range(len(tokens)))
    return frozenset(found[0].text for found in asked if found is not None) - table.keys()


def _resolve(tokens: tuple[Token, ...], table: dict[str, Macro]) -> tuple[Token, ...]:
    """Replace `defined X`, `defined(X)` and `IS_ENABLED(X)` by 0 or 1, before any expansion."""
    return _answered(tokens, table, _asked)


def _answered(
    tokens: tuple[Token, ...],
    table: dict[str, Macro],
    asked: Callable[[tuple[Token, ...], int], tuple[Token, int] | None],
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
        found = _configured(token.text, name, table)
        result.append(Token(TokenKind.NUMBER, str(int(found)), token.span))
        index += width
    return tuple(result)


def _asked_in_code(tokens: tuple[Token, ...], index: int) -> tuple[Token, int] | None:
    shape = [t.text for t in tokens[index + 1 : index + 4]]
    asks = tokens[index].text in _KCONFIG and shape[::2] == ["(", ")"]
    return (tokens[index + 2], 4) if asks else None


def _configured(asks: str, name: Token, table: dict[str, Macro]) -> bool:
    """Answer `defined` and its like: an option is on where its macro is 1."""
    if asks not in _KCONFIG:
        return is_defined(name, table)
    given = (replace(name, text=name.text + suffix) for suffix in _KCONFIG[asks])
    return any([t.text for t in Expander(table).expand([option])] == ["1"] for option in given)


def is_defined(name: Token, table: dict[str, Macro]) -> bool:
    """Tell whether a name is a macro.

    Raises:
        InputError: that depends on the compiler.
    """
    if name.text not in table:
        refuse_predefined(name)
    return name.text in table


def _asked(tokens: tuple[Token, ...], index: int) -> tuple[Token, int] | None:
    if tokens[index].text != "defined" and tokens[index].text not in _KCONFIG:
        return None
    match tokens[index + 1 : index + 4]:
        case (Token(text="("), Token(kind=TokenKind.NAME), Token(text=")")):
            return tokens[index + 2], 4
        case (Token(kind=TokenKind.NAME), *_) if tokens[index].text == "defined":
            return tokens[index + 1], 2
    problem = f"`{tokens[index].text}` wants one name in parentheses"
    raise InputError(BadCondition(span=tokens[index].span, problem=problem))


class _Number(Record, frozen=True):
    """An intmax_t, or a uintmax_t."""

    value: int
    unsigned: bool = False

    @classmethod
    def of(cls, value: int, *, unsigned: bool) -> _Number:
        """Wrap a value to the 64 bits of its type."""
        low = 0 if unsigned else -(1 << (_BITS - 1))
        return cls((value - low) % (1 << _BITS) + low, unsigned)


class _ConditionReader:
    """Reads one expression; `live` is false in operands that C does not evaluate."""

    def __init__(self, tokens: tuple[Token, ...], place: Span) -> None:
        self._tokens = tokens
        self._place = place
        self._next = 0

    def whole(self) -> int:
        found = self._ternary(live=True, depth=0)
        if self._peek():
            raise self._error(f"unexpected `{self._peek()}`")
        return found.value

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

    def _ternary(self, *, live: bool, depth: int) -> _Number:
        if depth > DEPTH:
            raise self._error(f"it nests deeper than {DEPTH} levels")
        condition = self._infix(1, live=live, depth=depth)
        if self._peek() != "?":
            return condition
        self._next += 1
        holds = condition.value != 0
        then = self._ternary(live=live and holds, depth=depth + 1)
        self._expect(":")
        otherwise = self._ternary(live=live and not holds, depth=depth + 1)
        chosen = then if holds else otherwise
        return _Number.of(chosen.value, unsigned=then.unsigned or otherwise.unsigned)

    def _infix(self, level: int, *, live: bool, depth: int) -> _Number:
        left = self._prefix(live=live, depth=depth)
        while PRECEDENCE.get(self._peek(), 0) >= level:
            sign = self._peek()
            self._next += 1
            decided = (sign, left.value != 0) in {("&&", False), ("||", True)}
            needed = live and not decided
            right = self._infix(PRECEDENCE[sign] + 1, live=needed, depth=depth)
            left = self._apply(sign, left, right, live=needed)
        return left

    def _prefix(self, *, live: bool, depth: int) -> _Number:
        signs = []
        while self._peek() in {"!", "-", "+", "~"}:
            signs.append(self._peek())
            self._next += 1
        found = self._primary(live=live, depth=depth)
        for sign in reversed(signs):
            found = _signed(sign, found)
        return found

    def _primary(self, *, live: bool, depth: int) -> _Number:
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

    def _operand(self, token: Token) -> _Number:
        match token.kind:
            case TokenKind.NUMBER:
                value, suffix = decode_integer(token.text, token.span)
                return _Number(value, "u" in suffix or value >> (_BITS - 1) != 0)
            case TokenKind.CHAR:
                return _Number(decode_character(token.text, token.span))
            case TokenKind.NAME if self._is_call():
                raise self._error(f"`{token.text}` is not a macro")
            case TokenKind.NAME if token.text == "true":
                raise self._error("`true` is no macro here, and 0 or 1 with the compiler")
            case TokenKind.NAME:
                refuse_predefined(token)
                return _Number(0)
            case _:
                raise self._error(f"unexpected `{token.text}`")

    def _is_call(self) -> bool:
        following = self._tokens[self._next + 1 : self._next + 2]
        return bool(following) and following[0].is_punct("(")

    def _apply(self, sign: str, left: _Number, right: _Number, *, live: bool) -> _Number:
        """Apply an operator; only the type of the result matters where it is not evaluated."""
        if sign in _TRUTHS:
            decides = any if sign == "||" else all
            return _Number(int(decides(n.value != 0 for n in (left, right))))
        if sign in {"<<", ">>"}:
            return _shifted(left, right.value if sign == "<<" else -right.value)
        unsigned = left.unsigned or right.unsigned
        a, b = (_Number.of(n.value, unsigned=unsigned).value for n in (left, right))
        if sign in _COMPARISONS:
            return _Number(int(_COMPARISONS[sign](a, b)))
        if sign in {"/", "%"} and b == 0:
            if live:
                raise self._error(f"division by zero in `{sign}`")
            return _Number(0, unsigned)
        return _Number.of(_OPERATIONS[sign](a, b), unsigned=unsigned)


def refuse_predefined(token: Token) -> None:
    """Refuse a name that the compiler, not a file, makes a macro or not.

    Raises:
        InputError: `token` is such a name.
    """
    if _PREDEFINED.fullmatch(token.text):
        problem = f"whether `{token.text}` is a macro depends on the compiler"
        raise InputError(BadCondition(span=token.span, problem=problem))


def _signed(sign: str, n: _Number) -> _Number:
    match sign:
        case "!":
            return _Number(int(n.value == 0))
        case "-":
            return _Number.of(-n.value, unsigned=n.unsigned)
        case "~":
            return _Number.of(~n.value, unsigned=n.unsigned)
        case _:
            return n


def _shifted(n: _Number, left: int) -> _Number:
    """Shift by any number of places, to the right where it is negative."""
    places = min(abs(left), _BITS)
    return _Number.of(n.value << places if left > 0 else n.value >> places, unsigned=n.unsigned)


def _quotient(left: int, right: int) -> int:
    return abs(left) // abs(right) * (1 if (left < 0) == (right < 0) else -1)


_TRUTHS = frozenset({"||", "&&"})
_COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "|": operator.or_,
    "^": operator.xor,
    "&": operator.and_,
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "%": lambda a, b: a - b * _quotient(a, b),
}
