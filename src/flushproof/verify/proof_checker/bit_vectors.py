"""Scripts over integers as scripts over bit-vectors, for solvers that are poor at masks.

Every integer becomes a bit-vector of one width, so large that nothing in the script leaves it: the
range of each term is worked out from the types of what it is made of. What is too large is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import reduce
from itertools import pairwise

from flushproof.support.record import Record
from flushproof.verify.proof_checker.terms import NotUnderstood

WIDTH = 72
"""Bits of a number: enough for a root with `NONE` beside it, and for sums of several."""

Tree = str | list["Tree"]
_WORD = re.compile(r"\|[^|]*\||[()]|[^\s()|]+")
_COMPARE = {"<": "bvslt", "<=": "bvsle", ">": "bvsgt", ">=": "bvsge"}


class Ranged(Record, frozen=True):
    """A term, and the least and the greatest number that it can be; no range if it is none."""

    text: str
    low: int = 0
    high: int = 0


class BitVectorScript:
    """Translates the lines of one script in order."""

    def __init__(self, ranges: Mapping[str, tuple[int, int]]) -> None:
        """Take the ranges of unknowns, of arrays those of their elements."""
        self.known: dict[str, Ranged] = {n: Ranged(n, *found) for n, found in ranges.items()}

    def translate_line(self, line: str) -> str:
        """Return a declaration, a definition or an assertion over bit-vectors.

        Raises:
            NotUnderstood: a number may be too large.
        """
        match parse_term(line):
            case ["declare-const", str(name), sort]:
                return f"(declare-const {name} {_sort(sort)})"
            case ["define-fun", str(name), [], sort, term]:
                found = self._term(term)
                self.known[name] = Ranged(name, found.low, found.high)
                return f"(define-fun {name} () {_sort(sort)} {found.text})"
            case ["assert", term]:
                return f"(assert {self._term(term).text})"
            case _:
                raise NotUnderstood(f"no bit-vectors for `{line[:40]}`")

    def translate_term(self, text: str) -> str:
        """Return a formula over bit-vectors."""
        return self._term(parse_term(text)).text

    def _term(self, e: Tree) -> Ranged:
        if isinstance(e, str):
            return _number(int(e)) if e.isdecimal() else self.known.get(e) or Ranged(e)
        match e:
            case ["-", str(n)] if n.isdecimal():
                return _number(-int(n))
            case ["let", [[str(name), value]], body]:
                return self._let(name, self._term(value), body)
            case ["bv2nat", [str(op), *operands]]:
                return self._operate_on_bits(op, operands)
        parts = [self._term(x) for x in e[1:]]
        return _apply(str(e[0]), parts, " ".join(p.text for p in parts))

    def _let(self, name: str, value: Ranged, body: Tree) -> Ranged:
        """Bind a name; what wraps around once is in the range that the body compares with."""
        before = self.known.get(name)
        self.known[name] = Ranged(name, value.low, value.high)
        found = self._term(body)
        self.known[name] = before or Ranged(name)
        text = f"(let (({name} {value.text})) {found.text})"
        match body:
            case ["ite", ["<", _, low], ["+", _, str(by)], ["ite", ["<", high, _], ["-", *_], _]]:
                least, most = self._term(low).low, self._term(high).high
                if least - int(by) <= value.low and value.high <= most + int(by):
                    return Ranged(text, least, most)
        return Ranged(text, found.low, found.high)

    def _operate_on_bits(self, op: str, operands: list[Tree]) -> Ranged:
        widths: set[int] = set()
        texts: list[str] = []
        for x in operands:
            match x:
                case [["_", "int2bv", str(bits)], a]:
                    widths.add(int(bits))
                    texts.append(f"((_ extract {int(bits) - 1} 0) {self._term(a).text})")
                case _:
                    raise NotUnderstood(f"no bit-vectors for `{op}`")
        width = widths.pop()
        text = f"((_ zero_extend {WIDTH - width}) ({op} {' '.join(texts)}))"
        return _in_width(text, 0, (1 << width) - 1)


def _apply(op: str, parts: list[Ranged], texts: str) -> Ranged:  # noqa: C901 - a table
    match op, parts:
        case (("and" | "or" | "not" | "xor" | "="), _):
            return Ranged(f"({op} {texts})")
        case (("<" | "<="), _):
            pairs = [f"({_COMPARE[op]} {a.text} {b.text})" for a, b in pairwise(parts)]
            return Ranged(f"(and {' '.join(pairs)})" if len(pairs) > 1 else pairs[0])
        case ((">" | ">="), [a, b]):
            return Ranged(f"({_COMPARE[op]} {a.text} {b.text})")
        case "+", [first, *rest]:
            return reduce(_add, rest, first)
        case "-", [a]:
            return _in_width(f"(bvneg {a.text})", -a.high, -a.low)
        case "-", [a, b]:
            return _in_width(f"(bvsub {texts})", a.low - b.high, a.high - b.low)
        case "*", [a, b]:
            ends = [x * y for x in (a.low, a.high) for y in (b.low, b.high)]
            return _in_width(f"(bvmul {texts})", min(ends), max(ends))
        case (("div" | "mod"), [a, b]):
            return _divide(op, a, b)
        case "abs", [a]:
            most = max(abs(a.low), abs(a.high))
            zero = _number(0).text
            return _in_width(f"(ite (bvslt {texts} {zero}) (bvneg {texts}) {texts})", 0, most)
        case ("ite", [_, a, b]) | ("store", [a, _, b]):
            return Ranged(f"({op} {texts})", min(a.low, b.low), max(a.high, b.high))
        case "select", [array, _]:
            return Ranged(f"(select {texts})", array.low, array.high)
        case _:
            raise NotUnderstood(f"no bit-vectors for `{op}`")


def _add(a: Ranged, b: Ranged) -> Ranged:
    return _in_width(f"(bvadd {a.text} {b.text})", a.low + b.low, a.high + b.high)


def _divide(op: str, a: Ranged, b: Ranged) -> Ranged:
    """Divide by a power of two, rounding down, or one of two numbers that are not negative."""
    if b.low == b.high > 0 and b.low & (b.low - 1) == 0:
        if op == "mod":
            return Ranged(f"(bvand {a.text} {_number(b.low - 1).text})", 0, b.low - 1)
        distance = _number(b.low.bit_length() - 1).text
        return Ranged(f"(bvashr {a.text} {distance})", a.low // b.low, a.high // b.low)
    if a.low < 0 or b.low < 0:
        raise NotUnderstood("a division of or by what may be negative")
    most = a.high if op == "div" else max(0, b.high - 1)
    name, zero = "bvudiv" if op == "div" else "bvurem", _number(0).text
    # By 0 it is undefined, but terms are to be in range all the same, as they may be stored.
    return Ranged(f"(ite (= {b.text} {zero}) {zero} ({name} {a.text} {b.text}))", 0, most)


def _number(value: int) -> Ranged:
    return _in_width(f"(_ bv{value % (1 << WIDTH)} {WIDTH})", value, value)


def _in_width(text: str, low: int, high: int) -> Ranged:
    if low < -(1 << WIDTH - 1) or high >= 1 << WIDTH - 1:
        raise NotUnderstood("a number of too many bits")
    return Ranged(text, low, high)


def _sort(sort: Tree) -> str:
    match sort:
        case ["Array", index, element]:
            return f"(Array {_sort(index)} {_sort(element)})"
        case _:
            return f"(_ BitVec {WIDTH})" if sort == "Int" else str(sort)


def parse_term(text: str) -> Tree:
    """Return a term as a tree of its parts."""
    stack: list[list[Tree]] = [[]]
    for word in _WORD.findall(text):
        if word == "(":
            stack.append([])
        elif word == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(word)
    return stack[0][0]
