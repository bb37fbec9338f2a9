"""Texts changed at random, word by word, so that many still get past the first complaint.

In: a text, others to take words from, and a source of chance. Out: another text, never much longer
than `LONGEST` bytes.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

LONGEST = 64 * 1024
_WORD = re.compile(rb"\w+|[^\S\n]+|\n|[^\w\s]")
ODD: tuple[bytes, ...] = (
    *(b"0", b"1", b"-1", b"0x7fffffff", b"0xffffffffffffffff", b"99999999999999999999999", b"1u"),
    *(b"9" * 5000, b"0x" + b"f" * 5000, b"x" * 5000, b"0b101", b"'a'", b"'\\377'", b"1e9", b"08"),
    *(b"\0", b"\xff", b"\xc3\xa9", b"\xe2\x80\xae", b"\x1b[31m", b"\r", b"\t", b"\\\n", b"\x0c"),
    *(b"/*", b"*/", b"//", b'"', b"'", b"\\", b"#", b"##", b"\n#define X ", b"\n#include ", b"\n"),
    *(b"\n#if ", b"\n#endif\n", b"\n#else\n", b"(", b")", b"{", b"}", b"[", b"]", b";", b",", b":"),
    *(b"goto ", b"switch (", b"case ", b"default:", b"sizeof ", b"struct ", b"union ", b"typedef "),
    *(b"static ", b"volatile ", b"*", b"&", b"->", b".", b"?", b"=", b"==", b"<<", b"/", b"%"),
    *(b"while (1) ", b"for (;;) ", b"do ", b"return ", b"break;", b"continue;", b"if (", b"else "),
    *(b"u8 ", b"s64 ", b"u64 ", b"bool ", b"void ", b"char ", b"int a[", b"__VA_ARGS__", b"..."),
    *(
        b"any ",
        b"on ",
        b"claim ",
        b"spec ",
        b"expect ",
        b"bounds ",
        b"assert(",
        b"../",
        b"/dev/zero",
    ),
    *(b"--- a/x.c\n+++ b/x.c\n@@ -1 +1 @@\n", b"@@ -1,9 +1,9 @@\n", b"> ", b"From x Mon 2020\n"),
)
PAIRS = ((b"(", b")"), (b"{", b"}"), (b"[", b"]"), (b"if (1) {", b"}"), (b"!", b""), (b"/*", b"*/"))

Words = list[bytes]


def words(text: bytes) -> Words:
    """Cut a text into names, blanks and single characters; joined they are the text."""
    return _WORD.findall(text)


def mutate(text: bytes, others: Sequence[bytes], chance: random.Random) -> bytes:
    """Return the text after one change or several."""
    found = words(text)
    changes = GENTLE if chance.random() < 0.5 else CHANGES
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 5, 8))):
        found = chance.choice(changes)(found, others, chance)
    return b"".join(found)[:LONGEST]


def _stretch(found: Words, chance: random.Random) -> tuple[int, int]:
    start = chance.randint(0, len(found))
    return start, min(len(found), start + chance.choice((1, 1, 2, 3, 5, 10, 40, 200)))


def _drop(found: Words, _: Sequence[bytes], chance: random.Random) -> Words:
    a, b = _stretch(found, chance)
    return found[:a] + found[b:]


def _swap(found: Words, _: Sequence[bytes], chance: random.Random) -> Words:
    a, b = _stretch(found, chance)
    c, d = _stretch(found[b:], chance)
    return found[:a] + found[b + c : b + d] + found[b : b + c] + found[a:b] + found[b + d :]


def _repeat(found: Words, _: Sequence[bytes], chance: random.Random) -> Words:
    a, b = _stretch(found, chance)
    size = sum(map(len, found[a:b])) or 1
    times = min(chance.choice((2, 2, 2, 3, 10, 100, 3000)), LONGEST // size + 1)
    return found[:a] + found[a:b] * times + found[b:]


def _odd(found: Words, _: Sequence[bytes], chance: random.Random) -> Words:
    a, b = _stretch(found, chance)
    end = a if chance.random() < 0.5 else b
    return [*found[:a], chance.choice(ODD), *found[end:]]


def _other_word(found: Words, others: Sequence[bytes], chance: random.Random) -> Words:
    """Put a word of this text or another where one of its sort stands."""
    if not found:
        return found
    at = chance.randrange(len(found))
    pool = found if chance.random() < 0.6 or not others else words(chance.choice(others))
    same = [w for w in pool if _sort(w) == _sort(found[at])]
    return [*found[:at], chance.choice(same or [b"x"]), *found[at + 1 :]]


def _sort(word: bytes) -> tuple[bool, bool]:
    return word[:1].isalnum(), word.isspace()


def _line(found: Words, others: Sequence[bytes], chance: random.Random) -> Words:
    """Drop, repeat or move a line, or take over one of another text."""
    lines = b"".join(found).splitlines(keepends=True) or [b"\n"]
    at, to = chance.randrange(len(lines)), chance.randrange(len(lines) + 1)
    taken = chance.choice((lines, chance.choice(others).splitlines(keepends=True) or lines))
    match chance.randrange(3):
        case 0:
            del lines[at]
        case 1:
            lines.insert(to, chance.choice(taken))
        case _:
            lines.insert(to, lines.pop(at))
    return words(b"".join(lines))


def _splice(found: Words, others: Sequence[bytes], chance: random.Random) -> Words:
    pool = words(chance.choice(others)) if others else found
    a, b = _stretch(found, chance)
    c, d = _stretch(pool, chance)
    return found[:a] + pool[c:d] + found[b:]


def _nest(found: Words, _: Sequence[bytes], chance: random.Random) -> Words:
    a, b = _stretch(found, chance)
    before, after = chance.choice(PAIRS)
    times = chance.choice((1, 2, 20, 150, 1000))
    return [*found[:a], before * times, *found[a:b], after * times, *found[b:]]


def _flip(found: Words, _: Sequence[bytes], chance: random.Random) -> Words:
    text = bytearray(b"".join(found))
    if text:
        text[chance.randrange(len(text))] = chance.randrange(256)
    return words(bytes(text))


CHANGES: tuple[Callable[[Words, Sequence[bytes], random.Random], Words], ...] = (
    *(
        _drop,
        _swap,
        _repeat,
        _line,
        _odd,
        _other_word,
        _other_word,
        _other_word,
        _splice,
        _nest,
        _flip,
    ),
)
GENTLE = (_other_word, _other_word, _line)
"""After these a text is often still accepted."""
