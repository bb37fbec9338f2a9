"""From source text to the syntax tree of C files.

`parse_c` reads whole files; `read_tokens`, `parse_items` and `tree_of` are its stages, for callers
that cut a file up themselves.
"""

from __future__ import annotations

import lark

from flushproof.frontend.c import items, parse_errors, syntax
from flushproof.frontend.c.grammar import lalr_parser
from flushproof.frontend.c.lark_tree import Tree, rule_name, span_of, tree_in
from flushproof.frontend.c.macros import Macros
from flushproof.frontend.c.preprocess import Inclusion, preprocess
from flushproof.frontend.c.terminals import declared_typedefs, name_terminals, significant_tokens
from flushproof.frontend.c.tokens import Token
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record, field
from flushproof.support.source import Source


class ParseContext(Record, frozen=True):
    """What earlier files give to later ones: macros and the names of types."""

    macros: Macros = field(default_factory=Macros)
    typedefs: frozenset[str] = frozenset()


def parse_c(
    source: Source, context: ParseContext, inclusion: Inclusion | None = None
) -> tuple[syntax.TranslationUnit, ParseContext]:
    """Parse a C file; also return `context` with the file's macros and typedefs added."""
    tokens, after = read_tokens(source, context, inclusion)
    return syntax.TranslationUnit(parse_items(tokens, after.typedefs)), after


def read_tokens(
    source: Source, context: ParseContext, inclusion: Inclusion | None = None
) -> tuple[tuple[Token, ...], ParseContext]:
    """Preprocess a file; return its live tokens and the context that holds after it."""
    done = preprocess(source, context.macros, inclusion)
    return done.tokens, ParseContext(done.macros, context.typedefs | typedef_names(done.tokens))


def typedef_names(tokens: tuple[Token, ...]) -> frozenset[str]:
    """Return the names that the `typedef` declarations among `tokens` introduce."""
    return frozenset(tokens[index].text for index in declared_typedefs(tokens))


def parse_items(tokens: tuple[Token, ...], typedefs: frozenset[str]) -> tuple[syntax.TopLevel, ...]:
    """Parse a run of whole top-level items, such as a file or a slice of one."""
    kept = significant_tokens(tokens)
    tree = tree_of(kept, typedefs, "translation_unit")
    return tuple(
        built for child in tree.children for built in items.build_item(kept, tree_in(child))
    )


def tree_of(
    tokens: tuple[Token, ...], typedefs: frozenset[str], start: str, *, spec: bool = False
) -> Tree:
    """Parse significant tokens from the symbol `start`; raise `InputError` with what is wrong."""
    parse_errors.check_brackets(tokens)
    try:
        tree = lalr_parser().parse(name_terminals(tokens, typedefs, spec=spec), start=start)
    except lark.UnexpectedToken as error:
        at_end = error.token.type == "$END"
        index = len(tokens) if at_end else error.token.start_pos or 0
        found = parse_errors.diagnose_token(tokens, index, frozenset(error.accepts), typedefs)
        raise InputError(found) from None
    _check_depth(tokens, tree)
    return tree


def _check_depth(tokens: tuple[Token, ...], root: Tree) -> None:
    """Refuse trees so deep that walking them could exhaust the stack."""
    pending: list[tuple[Tree, int]] = [(root, 0)]
    while pending:
        tree, depth = pending.pop()
        depth += _levels(tree)
        if depth > parse_errors.DEPTH:
            span = span_of(tokens, tree)
            raise InputError(
                parse_errors.TooDeep(span=span, what="constructs", limit=parse_errors.DEPTH)
            )
        pending.extend((c, depth) for c in tree.children if isinstance(c, lark.Tree))


def _levels(tree: Tree) -> int:
    """Return how much deeper the syntax tree can be because of this node."""
    match rule_name(tree):
        case "infix":
            return len(tree.children) // 2
        case "comma":
            return len(tree.children) - 1
        case "arguments":
            return 0
        case _:
            return 1
