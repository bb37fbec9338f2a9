"""Facts of claimed invariants as C-like expressions, and back.

    kvm_vmx.hv_tlb_pgd == 0xffffffffffffffff || i@flusher <= @v
    (root@v & 0xfff) == 0

`N` is the number of vCPUs, `F` that of the flusher where there are many, `@v` that of a tracked
vCPU, `x[v]` its field, `l[readers, v]` how often it is a reader of a lock, `x@v` a local of the
operation that it is in.

Names that are not plain stand in back quotes.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NoReturn, assert_never, cast, get_args

from flushproof.ir.code import Relation
from flushproof.ir.invariant import (
    FLUSHER,
    OBSERVER,
    BitOperator,
    Bitwise,
    Cell,
    Fact,
    FactComparison,
    FixedNumber,
    FlusherNumber,
    ReaderCount,
    Sum,
    Term,
    ThreadLocal,
    TrackedVcpu,
    VcpuCount,
)

COUNT = "N"
FLUSHER_NUMBER = "F"
DEEPEST = 20
"""Brackets within brackets; those of a proof are a few deep."""

_RESERVED = (COUNT, FLUSHER_NUMBER, "readers")

_TOKEN = re.compile(
    r"\s*(?:(?P<number>~?-?(?:0x[0-9a-f]+|[0-9]+))(?![A-Za-z0-9_])"
    r"|(?P<quoted>`[^`]*`)|(?P<name>[A-Za-z_%][A-Za-z0-9_.%:]*(?:\(\)[0-9.]*)?)"
    r"|(?P<sign>\|\||==|!=|<=|>=|>>|[-<>+&|^()\[\]@,]))"
)
_RELATIONS = cast("tuple[Relation, ...]", get_args(Relation))
BIT_OPERATORS = cast("tuple[BitOperator, ...]", get_args(BitOperator))


class NotAFact(Exception):  # noqa: N818 - whose error it is, the caller knows
    """A text is no fact; the text of the exception says why."""


def fact_text(fact: Fact, vcpus: Sequence[str]) -> str:
    """Write a fact, with names for the tracked vCPUs."""
    return " || ".join(
        f"{term_text(c.left, vcpus)} {c.relation} {term_text(c.right, vcpus)}" for c in fact
    )


def term_text(term: Term, vcpus: Sequence[str]) -> str:
    """Write a value."""
    match term:
        case FixedNumber(value):
            return _number(value)
        case VcpuCount():
            return COUNT
        case FlusherNumber():
            return FLUSHER_NUMBER
        case TrackedVcpu(k):
            return f"@{_name(vcpus[k])}"
        case Cell(name, vcpu):
            return _name(name) + ("" if vcpu is None else f"[{_name(vcpus[vcpu])}]")
        case ReaderCount(lock, thread):
            return f"{_name(lock)}[readers, {thread_text(thread, vcpus)}]"
        case ThreadLocal(thread, name):
            return f"{_name(name)}@{thread_text(thread, vcpus)}"
        case Bitwise(op, left, right):
            return f"({term_text(left, vcpus)} {op} {term_text(right, vcpus)})"
        case Sum(terms):
            return f"({' + '.join(term_text(x, vcpus) for x in terms)})"
        case _:
            assert_never(term)


def thread_text(thread: int, vcpus: Sequence[str]) -> str:
    """Name a thread."""
    if thread in (FLUSHER, OBSERVER):
        return "flusher" if thread == FLUSHER else "observer"
    return _name(vcpus[thread - 1])


def _name(name: str) -> str:
    plain = _TOKEN.fullmatch(name)
    return name if plain and plain["name"] and name not in _RESERVED else f"`{name}`"


def _number(value: int) -> str:
    if value < -0xFFF:
        return f"~{~value:#x}"
    return hex(value) if value > 0xFFF else str(value)


def parse_fact(text: str, vcpus: Sequence[str]) -> Fact:
    """Return the fact that a text is.

    Raises:
        NotAFact: it is none.
    """
    return _FactParser(text, vcpus).fact()


def parse_term(text: str, vcpus: Sequence[str]) -> Term:
    """Return the value that a text is.

    Raises:
        NotAFact: it is none.
    """
    return _FactParser(text, vcpus).whole_term()


def parse_thread(text: str, vcpus: Sequence[str]) -> int:
    """Return the thread that a text names.

    Raises:
        NotAFact: it names none.
    """
    return _FactParser(text, vcpus).whole_thread()


class _FactParser:
    def __init__(self, text: str, vcpus: Sequence[str]) -> None:
        self.text = text
        self.vcpus = vcpus
        self.tokens = list(self._split())
        self.depth = 0

    def _split(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        at = 0
        rest = len(self.text.rstrip())
        while at < rest:
            token = _TOKEN.match(self.text, at)
            if token is None:
                self._refuse(self.text[at : at + 10])
            kind = str(token.lastgroup)
            found.append((kind, token[kind]))
            at = token.end()
        return found[::-1]

    def _refuse(self, what: str) -> NoReturn:
        raise NotAFact(f"`{what}` in `{self.text[:60]}`")

    def _peek(self) -> str:
        return self.tokens[-1][1] if self.tokens else ""

    def _take(self, expected: str = "") -> tuple[str, str]:
        kind, word = self.tokens.pop() if self.tokens else ("end", "the end")
        if kind == "end" or (expected and word != expected):
            self._refuse(word)
        return kind, word

    def fact(self) -> Fact:
        """Take a whole fact."""
        found = [self._comparison()]
        while self.tokens:
            self._take("||")
            found.append(self._comparison())
        return tuple(found)

    def whole_term(self) -> Term:
        """Take a value and nothing else."""
        found = self._term()
        if self.tokens:
            self._refuse(self._peek())
        return found

    def whole_thread(self) -> int:
        """Take a thread and nothing else."""
        found = self._thread()
        if self.tokens:
            self._refuse(self._peek())
        return found

    def _comparison(self) -> FactComparison:
        left = self._term()
        _, sign = self._take()
        relation = next((r for r in _RELATIONS if r == sign), None)
        if relation is None:
            self._refuse(sign)
        return FactComparison(relation, left, self._term())

    def _term(self) -> Term:
        kind, word = self._take()
        if kind == "number":
            return FixedNumber(self._value(word))
        if word == "@":
            return TrackedVcpu(self._vcpu())
        if word == "(":
            return self._bracketed()
        if kind == "name" and word == COUNT:
            return VcpuCount()
        if kind == "name" and word == FLUSHER_NUMBER:
            return FlusherNumber()
        if kind not in ("name", "quoted"):
            self._refuse(word)
        return self._named(word.strip("`"))

    def _value(self, word: str) -> int:
        try:
            value = int(word.removeprefix("~"), 0)
        except ValueError:  # it begins with 0, or has thousands of digits
            self._refuse(word[:40])
        return ~value if word.startswith("~") else value

    def _bracketed(self) -> Term:
        self.depth += 1
        if self.depth > DEEPEST:
            self._refuse("(")
        parts = [self._term()]
        _, sign = self._take()
        while sign == "+":
            parts.append(self._term())
            _, sign = self._take()
        self.depth -= 1
        if len(parts) > 1 and sign == ")":
            return Sum(tuple(parts))
        op = next((o for o in BIT_OPERATORS if o == sign), None)
        if op is None or len(parts) > 1:
            self._refuse(sign)
        right = self._term()
        self._take(")")
        return Bitwise(op, parts[0], right)

    def _named(self, name: str) -> Term:
        if self._peek() == "@":
            self._take()
            return ThreadLocal(self._thread(), name)
        if self._peek() != "[":
            return Cell(name)
        self._take()
        if self._peek() == "readers":
            self._take()
            self._take(",")
            thread = self._thread()
            self._take("]")
            return ReaderCount(name, thread)
        vcpu = self._vcpu()
        self._take("]")
        return Cell(name, vcpu)

    def _thread(self) -> int:
        if self._peek() in ("flusher", "observer"):
            return FLUSHER if self._take()[1] == "flusher" else OBSERVER
        return self._vcpu() + 1

    def _vcpu(self) -> int:
        kind, word = self._take()
        name = word.strip("`")
        if kind not in ("name", "quoted") or name not in self.vcpus:
            self._refuse(word)
        return list(self.vcpus).index(name)
