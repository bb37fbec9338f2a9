"""What is said about text that the grammar refuses: the place, what stands there, what could.

Input is the token sequence, the index of the token that did not fit (its length for the end of the
text) and the terminals that would have fitted.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from flushproof.frontend.c.constants import OutsideSubset
from flushproof.frontend.c.grammar import SPEC_WORDS, grammar_vocabulary, lalr_parser
from flushproof.frontend.c.tokens import Token, TokenKind
from flushproof.support.diagnostics import Diagnostic, InputError, Note, suggest_closest
from flushproof.support.source import Span

NESTING = 200
DEPTH = 200
_SHOWN = 4
_COMPLETE = frozenset({"", ";", "{", "}"})
_CLOSERS = {"(": ")", "[": "]", "{": "}"}
_TYPES = frozenset(["STORAGE", "QUALIFIER", "TYPE_WORD", "TYPE_NAME", "STRUCT", "ENUM"])
_ITEM = _TYPES | {"SEMICOLON", "TYPEDEF", "$END"}
_WORDS = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a string",
    "CHAR": "a character constant",
    "COMPOUND": "an assignment operator",
    "INFIX": "an operator",
    "$END": "the end of the file",
}


class SyntaxProblem(Diagnostic, frozen=True, kw_only=True):
    """A token that fits nowhere in the grammar."""

    CODE: ClassVar[str] = "FP0401"
    TITLE: ClassVar[str] = "unexpected {found}, expected {expected}"
    LABEL: ClassVar[str] = "does not fit here"
    HELP: ClassVar[str] = "{advice}"
    found: str
    expected: str
    advice: str = ""


class Unclosed(Diagnostic, frozen=True, kw_only=True):
    """A bracket is not closed by its partner."""

    CODE: ClassVar[str] = "FP0402"
    TITLE: ClassVar[str] = "this `{opening}` is never closed"
    HELP: ClassVar[str] = "add the missing `{closing}`"
    opening: str
    closing: str


class Unopened(Diagnostic, frozen=True, kw_only=True):
    """A closing bracket has no partner."""

    CODE: ClassVar[str] = "FP0403"
    TITLE: ClassVar[str] = "this `{closing}` closes nothing"
    closing: str


LOOPS = ("kvm_for_each_vcpu", "for", "while", "switch")
"""What may stand before a block with something in parentheses."""


class TooDeep(Diagnostic, frozen=True, kw_only=True):
    """Constructs stand inside each other beyond reason."""

    CODE: ClassVar[str] = "FP0404"
    TITLE: ClassVar[str] = "{what} nest deeper than {limit} levels"
    HELP: ClassVar[str] = "split it up"
    what: str
    limit: int


class NoLoop(Diagnostic, frozen=True, kw_only=True):
    """A word with parentheses stands before a block, as a macro for a loop does."""

    CODE: ClassVar[str] = "FP0426"
    TITLE: ClassVar[str] = "`{name}` is no loop, and no macro of this name is defined{hint}"
    HELP: ClassVar[str] = "define the macro in the file, or write `kvm_for_each_vcpu(i, vcpu, kvm)`"
    name: str
    hint: str


def check_brackets(tokens: Iterable[Token]) -> None:
    """Refuse brackets that are not balanced or nest too deep."""
    stack: list[Token] = []
    for token in tokens:
        if token.kind is not TokenKind.PUNCT:
            continue
        if token.text in _CLOSERS:
            stack.append(token)
            if len(stack) > NESTING:
                raise InputError(TooDeep(span=token.span, what="brackets", limit=NESTING))
        elif token.text in _CLOSERS.values():
            _close(stack, token)
    if stack:
        raise InputError(_unclosed(stack[-1]))


def _close(stack: list[Token], token: Token) -> None:
    if not stack:
        raise InputError(Unopened(span=token.span, closing=token.text))
    opening = stack.pop()
    if _CLOSERS[opening.text] != token.text:
        note = Note(f"`{token.text}` stands here instead", token.span)
        raise InputError(_unclosed(opening, note))


def _unclosed(opening: Token, *notes: Note) -> Unclosed:
    text = opening.text
    return Unclosed(span=opening.span, notes=notes, opening=text, closing=_CLOSERS[text])


def diagnose_token(
    tokens: tuple[Token, ...], index: int, accepted: frozenset[str], typedefs: frozenset[str]
) -> Diagnostic:
    """Return the diagnostic for the token at `index`, which is none of the `accepted` terminals."""
    if accepted == {"LPAR"} and _begins_item(tokens, index - 1):
        index, accepted = index - 1, _ITEM
    if loop := _unknown_loop(tokens, index):
        return loop
    outside = _outside(tokens, index)
    if outside and index < len(tokens):
        return OutsideSubset(span=tokens[index].span, construct=outside)
    span = tokens[index].span if index < len(tokens) else _end(tokens)
    advice, notes = _advice(tokens, index, accepted, typedefs)
    return SyntaxProblem(
        span=span,
        notes=notes,
        found=f"`{tokens[index].text}`" if index < len(tokens) else "end of the file",
        expected=_listed(accepted),
        advice=advice,
    )


def _end(tokens: tuple[Token, ...]) -> Span | None:
    """Return the empty span behind the last token, if there is any."""
    if not tokens:
        return None
    span = tokens[-1].span
    return Span(span.file, span.end_line, span.end_column, span.end_line, span.end_column)


def _text(tokens: tuple[Token, ...], index: int) -> str:
    return tokens[index].text if 0 <= index < len(tokens) else ""


def _unknown_loop(tokens: tuple[Token, ...], index: int) -> NoLoop | None:
    """Return what is said of a word with parentheses before a block within a function, if any."""
    inside = sum((t.text == "{") - (t.text == "}") for t in tokens[:index]) > 0
    if not inside or _text(tokens, index) != "{" or _text(tokens, index - 1) != ")":
        return None
    head = _head(tokens, index - 1)
    if head is None:
        return None
    hint = suggest_closest(head.text, LOOPS)
    return NoLoop(span=head.span, name=head.text, hint=hint)


def _head(tokens: tuple[Token, ...], closing: int) -> Token | None:
    """Return the word before the parentheses that close at an index, None if none heads them."""
    depth = 0
    for at in range(closing, 0, -1):
        depth += tokens[at].is_punct(")") - tokens[at].is_punct("(")
        if depth == 0:
            word = tokens[at - 1]
            named = word.kind is TokenKind.NAME and word.text not in {"return", "sizeof"}
            return word if named else None
    return None


def _outside(tokens: tuple[Token, ...], index: int) -> str:
    """Name the construct of C that usually looks like this, or return an empty string."""
    before, found = (_text(tokens, index + offset) for offset in (-1, 0))
    inside = sum((t.text == "{") - (t.text == "}") for t in tokens[:index]) > 0
    name_before = 0 < index <= len(tokens) and tokens[index - 1].kind is TokenKind.NAME
    match before, found:
        case (")", "{") if not inside:
            return ""
        case (")", "{"):
            return "" if _head(tokens, index - 1) else "compound literals"
        case (_, "...") if _text(tokens, index - 2) == "[":
            return "ranges of elements"
        case (_, "..."):
            return "ranges of cases"
        case ("&&", _) if _text(tokens, index - 2) in {"=", "(", ",", "{", "["}:
            return "addresses of labels"
        case (_, "(") if inside and name_before and _follows_type(tokens, index - 1):
            return "functions declared inside functions"
        case _:
            return ""


def _follows_type(tokens: tuple[Token, ...], index: int) -> bool:
    before = _text(tokens, index - 1)
    return before == "*" or before.isidentifier()


def _advice(
    tokens: tuple[Token, ...], index: int, accepted: frozenset[str], typedefs: frozenset[str]
) -> tuple[str, tuple[Note, ...]]:
    if index < len(tokens) and _is_name(tokens[index]):
        word = suggest_closest(tokens[index].text, _literal_words(accepted)).strip(" ()")
        if word:
            return word, ()
        if "TYPE_WORD" in accepted and "NAME" not in accepted:
            return _unknown_type(tokens[index], typedefs), ()
    if index == 0:
        return "", ()
    before = tokens[index - 1]
    found = tokens[index] if index < len(tokens) else None
    later = found is None or found.span.line > before.span.end_line
    if later and "SEMICOLON" in accepted and before.text not in _COMPLETE:
        note = Note(f"perhaps a `;` is missing after this `{before.text}`", before.span)
        return f"add `;` after `{before.text}`", (note,)
    if found is not None and found.text in SPEC_WORDS and "NAME" in accepted:
        return f"`{found.text}` is a reserved word in spec files", ()
    names = found is not None and found.kind is TokenKind.NAME and _is_name(before)
    if names and _begins_declaration(tokens, index - 1):
        return _unknown_type(before, typedefs), ()
    return "", ()


def _is_name(token: Token) -> bool:
    return grammar_vocabulary(spec=False).terminal(token.text) == "NAME"


def _literal_words(accepted: frozenset[str]) -> list[str]:
    texts = grammar_vocabulary(spec=True).exact
    return [text for text, name in texts.items() if name in accepted and text.isidentifier()]


def _unknown_type(token: Token, typedefs: frozenset[str]) -> str:
    return f"`{token.text}` is not known as a type{suggest_closest(token.text, typedefs)}"


def _begins_declaration(tokens: tuple[Token, ...], index: int) -> bool:
    return _text(tokens, index - 1) in _COMPLETE | {"static", "const"}


def _begins_item(tokens: tuple[Token, ...], index: int) -> bool:
    """Tell whether a name stands where a type would begin a declaration at file level."""
    before = _text(tokens, index - 1) if index else ""
    return index >= 0 and _is_name(tokens[index]) and before in _COMPLETE


def _listed(accepted: frozenset[str]) -> str:
    phrases = _phrases(accepted)
    if len(phrases) > _SHOWN:
        phrases = phrases[:_SHOWN]
    return phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " or " + phrases[-1]


def _phrases(accepted: frozenset[str]) -> list[str]:
    """Say the terminals in words, the most telling first."""
    texts = {t.name: t.pattern.value for t in lalr_parser().terminals if t.pattern.type == "str"}
    rest = set(accepted)
    phrases = []
    for condition, phrase, covered in _GROUPS:
        if condition <= rest:
            phrases.append(phrase)
            rest -= covered
    closing = sorted(texts[name] for name in rest if texts.get(name, "x") in ";,)]}:({=")
    words = sorted(texts[name] for name in rest if texts.get(name, "").isidentifier())
    phrases += [f"`{text}`" for text in closing]
    phrases += sorted(_WORDS[name] for name in rest if name in _WORDS)
    phrases += [f"`{text}`" for text in words]
    return phrases or ["something else"]


_EXPRESSION = frozenset(
    ["NAME", "NUMBER", "LPAR", "STRING", "CHAR", "BANG", "TILDE", "STAR", "PLUS", "MINUS", "SIZEOF"]
)
_OPERATORS = frozenset(
    ["INFIX", "STAR", "PLUS", "MINUS", "QMARK", "COMPOUND", "EQUAL", "LSQB", "DOT", "LPAR"]
)
_STATEMENT = frozenset(["IF", "WHILE", "FOR", "DO", "SWITCH", "RETURN", "GOTO", "LBRACE"])
_STATEMENT_REST = frozenset(
    ["BREAK", "CONTINUE", "CASE", "DEFAULT", "FALLTHROUGH", "KVM_FOR_EACH_VCPU"]
)
_EXPRESSION_REST = _EXPRESSION | {"CONTAINER_OF"}
_GROUPS = (
    (_STATEMENT, "a statement", _STATEMENT | _STATEMENT_REST | _EXPRESSION_REST | {"SEMICOLON"}),
    (_EXPRESSION, "an expression", _EXPRESSION_REST),
    (frozenset({"TYPE_WORD"}), "a type", _TYPES),
    (frozenset({"INFIX", "STAR"}), "an operator", _OPERATORS),
)
