"""Handling of lark's trees: names of rules, children with their types, and spans.

Positions in these trees are indices into the token sequence that was parsed (see `name_terminals`).
"""

from __future__ import annotations

from collections.abc import Iterable

import lark

from flushproof.frontend.c.tokens import Token
from flushproof.support.source import Span

Tree = lark.Tree[lark.Token]
Branch = Tree | lark.Token
Tokens = tuple[Token, ...]


def rule_name(tree: Tree) -> str:
    """Return the name of the rule or alias that made `tree`."""
    return str(tree.data).removeprefix("c__")


def tree_parts(tree: Tree) -> tuple[Branch | None, ...]:
    """Return the children of `tree`; None stands for an optional part that is absent."""
    return tuple(tree.children)


def trees_of_rule(children: Iterable[Branch | None], name: str) -> list[Tree]:
    """Return those of `children` that the rule `name` made."""
    return [c for c in children if isinstance(c, lark.Tree) and rule_name(c) == name]


def tree_in(branch: Branch | None) -> Tree:
    """Return `branch`, which the grammar makes a tree."""
    assert isinstance(branch, lark.Tree), f"a leaf where the grammar has a rule: {branch!r}"
    return branch


def span_of(tokens: Tokens, branch: Branch | None) -> Span:
    """Return the span from the first to the last token of `branch`, which is not absent."""
    assert branch is not None
    place = branch if isinstance(branch, lark.Token) else branch.meta
    assert place.start_pos is not None
    assert place.end_pos is not None
    return tokens[place.start_pos].span.to(tokens[place.end_pos].span)
