"""Operations of C on machine integers, as terms over the integers.

A term of a type is a number in its range. What leaves the range wraps around as in two's
complement: by one modulus after a sum, else by `mod`. Bits of a constant are taken with `div` and
`mod`; without a constant the operation is left to the theory of bit-vectors.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.ir.types import BOOL, Int, Type
from flushproof.verify.proof_checker import terms as t

_BITS = {"&": "bvand", "|": "bvor", "^": "bvxor", "<<": "bvshl"}


def convert_value(a: str, source: Type, target: Type) -> str:
    """Return a value converted as C does; to one bit, which is its lowest."""
    if target == BOOL:
        return a if source == BOOL else t.make_equality(f"(mod {a} 2)", "1")
    if source == BOOL:
        return t.make_choice(a, t.make_constant(1, target), t.make_constant(0, target))
    return _convert_number(a, t.word_of(source), t.word_of(target))


def _convert_number(a: str, have: Int, want: Int) -> str:
    if want.includes(have):
        return a
    known = t.literal_value(a)
    if known is not None:
        return t.make_integer(want.wrap(known))
    modulus = 1 << want.width
    near = want.low - modulus <= have.low and have.high <= want.high + modulus
    return _wrap_once(a, want) if near else _wrap(a, want)


def _wrap_once(a: str, word: Int) -> str:
    """Return a number, at most one modulus out of range, wrapped around."""
    modulus = 1 << word.width
    low, high = t.make_integer(word.low), t.make_integer(word.high)
    below, above = f"(+ $n {modulus})", f"(- $n {modulus})"
    return f"(let (($n {a})) (ite (< $n {low}) {below} (ite (< {high} $n) {above} $n)))"


def _wrap(a: str, word: Int) -> str:
    """Return any number wrapped around."""
    modulus, half = 1 << word.width, 1 << (word.width - 1)
    return f"(- (mod (+ {a} {half}) {modulus}) {half})" if word.signed else f"(mod {a} {modulus})"


def exact_result(op: str, a: str, b: str) -> str:
    """Return a sum, a difference or a product as it is before it wraps around."""
    return f"({op} {a} {b})"


def apply_arithmetic(op: str, a: str, b: str, word: Int) -> str:
    """Return the result of `+`, `-`, `*`, `/` or `%` in a type; a divisor is not 0."""
    if op == "*":
        return _wrap(exact_result(op, a, b), word)
    if op in ("+", "-"):
        return _wrap_once(exact_result(op, a, b), word)
    return _wrap_once(_divide(op, a, b), word) if word.signed else f"({_DIVIDE[op]} {a} {b})"


_DIVIDE = {"/": "div", "%": "mod"}


def _divide(op: str, a: str, b: str) -> str:
    """Return the quotient, rounded to zero, or the rest, which has the sign of the dividend."""
    negative = f"(< {a} 0)" if op == "%" else f"(xor (< {a} 0) (< {b} 0))"
    return f"(let (($q ({_DIVIDE[op]} (abs {a}) (abs {b})))) (ite {negative} (- $q) $q))"


def apply_bitwise(op: str, a: str, b: str, word: Int) -> str:
    """Return the result of `&`, `|` or `^`: `a | b` is `a + b - (a & b)`, in two's complement."""
    for x, y in ((a, b), (b, a)):
        mask = t.literal_value(y)
        if mask is not None:
            both = mask_number(x, mask, word)
            if op == "&":
                return both
            return f"(- (+ {x} {y}) {both})" if op == "|" else f"(- (+ {x} {y}) (* 2 {both}))"
    return _by_bits(op, a, b, word)


def mask_number(a: str, mask: int, word: Int) -> str:
    """Return the bits of a number that a constant has, of the same type."""
    if mask < 0 or mask > word.high >> (not word.signed):  # the highest bit is kept
        others = ~mask if word.signed else word.high - mask
        return f"(- {a} {mask_number(a, others, word)})" if others else a
    runs = [_bits_between(a, low, n) for low, n in _runs(mask)]
    return f"(+ {' '.join(runs)})" if len(runs) > 1 else (*runs, "0")[0]


def _bits_between(a: str, low: int, count: int) -> str:
    """Return some bits in a row, where they are."""
    if low == 0:
        return f"(mod {a} {1 << count})"
    return f"(* {1 << low} (mod (div {a} {1 << low}) {1 << count}))"


def _runs(mask: int) -> Iterator[tuple[int, int]]:
    """Yield where ones begin, and how many there are in a row."""
    at = 0
    while mask >> at:
        if mask >> at & 1:
            ones = (~(mask >> at) & (mask >> at) + 1).bit_length() - 1
            yield at, ones
            at += ones
        at += 1


def apply_shift(op: str, a: str, b: str, word: Int) -> str:
    """Return the result of `<<` or `>>`; the distance is less than the width."""
    distance = t.literal_value(b)
    if distance is None or not 0 <= distance < word.width:
        return _by_bits(op, a, b, word)
    factor = 1 << distance
    return _wrap(f"(* {a} {factor})", word) if op == "<<" else f"(div {a} {factor})"


def _by_bits(op: str, a: str, b: str, word: Int) -> str:
    """Return the result of an operation on bit-vectors."""
    function = _BITS.get(op) or ("bvashr" if word.signed else "bvlshr")
    bits = (f"((_ int2bv {word.width}) {x})" for x in (a, b))
    natural = f"(bv2nat ({function} {' '.join(bits)}))"
    return _wrap_once(natural, word) if word.signed else natural
