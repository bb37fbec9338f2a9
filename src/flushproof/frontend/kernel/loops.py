"""Macros that head a block, `for_each_thing(...) {`, made loops that the parser knows.

In: the tokens of a function, macros that are at hand replaced. A walk over the VM's array of vCPUs
is `kvm_for_each_vcpu`; any other becomes a loop that may go on or end at will and bears the name of
the macro, so that it is left out where nothing in it matters, and refused by name elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.macros import Macro
from flushproof.frontend.c.terminals import OUTSIDE
from flushproof.frontend.c.tokens import Token, TokenKind
from flushproof.frontend.kernel.assembly import ANY, closing_parenthesis, word_token
from flushproof.support.diagnostics import Diagnostic, InputError, suggest_closest
from flushproof.support.source import Span

_WORDS = frozenset({"if", "for", "while", "switch", "return", "sizeof", "typeof", "__typeof__"})
_KNOWN = frozenset({"kvm_for_each_vcpu", "scoped_guard"})
"""Loops that the parser knows, for files that do not say what they are."""
_ARRAY = ("xa_for_each", "xa_for_each_range")


class UnknownLoop(Diagnostic, frozen=True, kw_only=True):
    """A macro heads a loop that matters, and what it goes through is not known."""

    CODE: ClassVar[str] = "FP0607"
    TITLE: ClassVar[str] = (
        "what `{name}` goes through is not known, and the loop matters here{hint}"
    )
    HELP: ClassVar[str] = "name the folder of the header that defines it with -I"
    name: str
    hint: str


def refuse_loop(name: str, span: Span) -> InputError:
    """Make the error for a macro that heads a loop which matters, with what may be meant."""
    return InputError(UnknownLoop(span=span, name=name, hint=suggest_closest(name, _KNOWN)))


def loop_macro_names(tokens: tuple[Token, ...]) -> frozenset[str]:
    """Return the words that stand before parentheses and a block, as only a macro can."""
    return frozenset(tokens[i].text for i, _ in _headed(tokens, frozenset()))


def plain_head(macro: Macro) -> bool:
    """Tell whether a macro of a header can stand for itself."""
    words = {t.text for t in macro.body}
    return macro.parameters is not None and not words & ({"#", "##"} | OUTSIDE.keys())


def replace_loop_macros(tokens: tuple[Token, ...]) -> tuple[Token, ...]:
    """Return the tokens with such heads replaced."""
    ends = dict(_headed(tokens, _KNOWN))
    kept: list[Token] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        end = ends.get(index)
        if end is None:
            kept.append(token)
            index += 1
            continue
        walk = _vcpus(token, tokens[index + 2 : end])
        kept += walk or _unknown(token, tokens[index + 2 : end])
        index = end + 1
    return tuple(kept)


def unknown_loop(test: c.Expr) -> tuple[str, frozenset[str]] | None:
    """Return the macro that a loop with such a condition was made from, and what it was given."""
    match test:
        case c.CallExpr(c.Name(name), (c.String(text), *given)) if name == ANY:
            return text.strip('"'), frozenset(x.id for x in given if isinstance(x, c.Name))
        case _:
            return None


def _unknown(head: Token, inside: tuple[Token, ...]) -> list[Token]:
    """Return the head of a loop that names the macro, and the variables that it may change."""
    given = [
        part[0] for part in _arguments(inside) if len(part) == 1 and part[0].kind is TokenKind.NAME
    ]
    kept = [word_token(w, head) for w in ("while", "(", ANY, "(")]
    kept.append(Token(TokenKind.STRING, f'"{head.text}"', head.span))
    for name in given:
        kept += [word_token(",", head), name]
    return [*kept, word_token(")", head), word_token(")", head)]


def _headed(tokens: tuple[Token, ...], known: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Yield where in a function such words are, and where their parentheses end."""
    depth = 0
    for index, token in enumerate(tokens):
        depth += token.is_punct("{") - token.is_punct("}")
        if not depth or token.kind is not TokenKind.NAME or token.text in _WORDS | known:
            continue
        end = closing_parenthesis(tokens, index + 1)
        if end is None or end + 1 == len(tokens):
            continue
        after = tokens[end + 1].text
        named = "for_each" in token.text and re.fullmatch(r"[A-Za-z_]\w*", after) is not None
        if after == "{" or named:
            yield index, end


def _vcpus(head: Token, inside: tuple[Token, ...]) -> list[Token]:
    """Return a walk over all vCPUs where the macro goes over the array of them, else nothing."""
    parts = _arguments(inside)
    array = [t.text for t in parts[0]]
    if head.text not in _ARRAY or array[:1] != ["&"] or array[-2:] != ["->", "vcpu_array"]:
        return []
    if head.text == "xa_for_each_range" and not _all(parts[3:]):
        return []
    comma = word_token(",", head)
    call = [
        word_token("kvm_for_each_vcpu", head),
        word_token("(", head),
        *parts[1],
        comma,
        *parts[2],
        comma,
    ]
    return [*call, *parts[0][1:-2], word_token(")", head)]


def _all(bounds: list[list[Token]]) -> bool:
    """Tell whether a walk goes from the first vCPU to the last."""
    texts = ["".join(t.text for t in b).strip("()") for b in bounds]
    last = r"atomic_read\(&\(?\w+\)?->online_vcpus\)-1"
    return len(texts) == 2 and texts[0] == "0" and re.fullmatch(last, texts[1]) is not None


def _arguments(tokens: tuple[Token, ...]) -> list[list[Token]]:
    parts: list[list[Token]] = [[]]
    depth = 0
    for t in tokens:
        depth += t.is_punct("(") - t.is_punct(")")
        if depth == 0 and t.is_punct(","):
            parts.append([])
        else:
            parts[-1].append(t)
    return parts
