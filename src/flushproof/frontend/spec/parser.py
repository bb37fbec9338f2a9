"""From source text to the syntax tree of spec and claim files.

Words that the grammar leaves open (roles, bounds, verdicts, events, witness kinds, assumptions) are
checked here, so a `SpecFile` names only what exists; whether its functions and fields do is not
known here.
"""

from __future__ import annotations

import lark

from flushproof.frontend.c import constants
from flushproof.frontend.c.builder import build_block, build_declaration, build_expression
from flushproof.frontend.c.items import build_function
from flushproof.frontend.c.lark_tree import (
    Branch,
    Tokens,
    Tree,
    rule_name,
    span_of,
    tree_in,
    tree_parts,
    trees_of_rule,
)
from flushproof.frontend.c.parser import ParseContext, read_tokens, tree_of
from flushproof.frontend.c.terminals import significant_tokens
from flushproof.frontend.spec import syntax
from flushproof.frontend.spec.message_names import check_messages
from flushproof.frontend.spec.spec_errors import (
    BadBounds,
    NoCount,
    NotForEvery,
    check_known,
    check_once,
    misplaced_subject,
)
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import Record
from flushproof.support.source import Source, Span

ROLES = ("flush", "load", "cpu", "thread")
BOUNDS = ("vcpus", "loads", "flushes", "flushers")
ASSUMPTIONS = ("load_flushes", "vcpu_roots_start_invalid")
QUANTIFIED = ("vcpu",)
WITNESSES = ("vcpu", "root", "call", "gfn", "access", "thread")
EVENTS = (
    *("enter", "return", "hypercall", "lock", "unlock", "access", "uninit"),
    *("step", "deadlock", "end"),
)
HOLDS = "holds"
VERDICTS = (
    *(Verdict.PROVED, Verdict.BOUNDED, HOLDS),
    *(Verdict.REFUTED, Verdict.UNKNOWN, Verdict.VACUOUS),
)
"""What a spec may expect: `proved`, `bounded` and `holds` mean alike without `for every`."""
EVERY = "every"
TYPES = frozenset({"root"})
_WITH_SUBJECT = frozenset({"enter", "return"})
_MOST = 1 << 16


def parse_spec(source: Source, context: ParseContext) -> syntax.SpecTree:
    """Parse a spec or claim file under the macros and typedefs of `context`."""
    live, after = read_tokens(source, context)
    tokens = significant_tokens(live)
    tree = tree_of(tokens, after.typedefs | TYPES, "spec_file", spec=True)
    parsed = syntax.SpecTree(
        specs=tuple(_spec(tokens, t) for t in trees_of_rule(tree.children, "spec")),
        claims=tuple(_claim(tokens, t) for t in trees_of_rule(tree.children, "claim")),
        functions=tuple(
            build_function(tokens, t) for t in trees_of_rule(tree.children, "function")
        ),
    )
    check_once("spec", [(s.name, s.span) for s in parsed.specs])
    check_once("claim", [(c.name, c.span) for c in parsed.claims])
    return parsed


class _Clauses(Record, frozen=True):
    """The clauses of one spec or claim by their rules, with the tokens they were read from."""

    tokens: Tokens
    children: tuple[Tree, ...]

    def one(self, name: str) -> Tree | None:
        """Return the only clause `name`, or None."""
        found = trees_of_rule(self.children, name)
        check_once("clause", [(name, _head(self.tokens, t)) for t in found])
        return found[0] if found else None

    def inner(self, name: str) -> list[Tree]:
        """Return the entries of the only clause `name`."""
        clause = self.one(name)
        return [c for c in clause.children if isinstance(c, lark.Tree)] if clause else []

    def each(self, name: str) -> list[Tree]:
        """Return all clauses `name`."""
        return trees_of_rule(self.children, name)


def _clauses(tokens: Tokens, tree: Tree) -> _Clauses:
    return _Clauses(tokens, tuple(c for c in tree.children if isinstance(c, lark.Tree)))


def _head(tokens: Tokens, tree: Tree) -> Span:
    """Return the span of the first token of `tree`."""
    assert tree.meta.start_pos is not None
    return tokens[tree.meta.start_pos].span


def _text(tokens: Tokens, tree: Tree) -> syntax.QuotedText:
    span = span_of(tokens, tree)
    return syntax.QuotedText(
        "".join(constants.decode_string(str(t), span) for t in tree.children), span
    )


# Specs ------------------------------------------------------------------------------------------


def _spec(tokens: Tokens, tree: Tree) -> syntax.Spec:
    clauses = _clauses(tokens, tree)
    variant, boot = clauses.one("variant"), clauses.one("boot")
    claims = tuple(_claim(tokens, t) for t in clauses.each("claim"))
    check_once("claim", [(c.name, c.span) for c in claims])
    return syntax.Spec(
        name=str(tree.children[0]),
        variant=_text(tokens, tree_in(variant.children[0])) if variant else None,
        operations=_operations(tokens, clauses.inner("operations")),
        boot=build_block(tokens, boot.children[0]) if boot else None,
        caches=tuple(_cache(tokens, t) for t in clauses.each("cache")),
        bounds=_bounds(tokens, clauses.inner("bounds")),
        assumptions=_assumptions(tokens, clauses.each("assume")),
        exempt=_exempt(tokens, clauses.each("exempt")),
        expectations=_expectations(tokens, clauses.inner("expect")),
        claims=claims,
        span=span_of(tokens, tree.children[0]),
        memory=_memory(tokens, clauses.one("memory")),
        invariants=tuple(_invariant(tokens, t) for t in clauses.each("invariant")),
    )


def _operations(tokens: Tokens, entries: list[Tree]) -> tuple[syntax.OperationDecl, ...]:
    built = tuple(_operation(tokens, t) for t in entries)
    check_once("operation", [(o.function, o.span) for o in built])
    return built


def _operation(tokens: Tokens, tree: Tree) -> syntax.OperationDecl:
    role, name, parameters = tree_parts(tree)
    check_known("role", str(role), ROLES, span_of(tokens, role))
    given = () if parameters is None else tree_in(parameters).children
    roles = tuple(_parameter(tokens, tree_in(p)) for p in given)
    return syntax.OperationDecl(str(role), str(name), roles, span_of(tokens, tree))


def _parameter(tokens: Tokens, tree: Tree) -> syntax.QuotedText:
    quantifier, name = tree_parts(tree)
    if quantifier is not None:
        check_known("kind of subject", str(name), QUANTIFIED, span_of(tokens, name))
    word = str(name) if quantifier is None else f"any {name}"
    return syntax.QuotedText(word, span_of(tokens, tree))


def _words(tokens: Tokens, branch: Branch | None) -> tuple[syntax.QuotedText, ...]:
    if not isinstance(branch, lark.Tree):
        return ()
    return tuple(syntax.QuotedText(str(word), span_of(tokens, word)) for word in branch.children)


def _cache(tokens: Tokens, tree: Tree) -> syntax.CacheDecl:
    condition, root = (build_expression(tokens, child) for child in tree.children)
    return syntax.CacheDecl(condition, root, span_of(tokens, tree))


def _bounds(tokens: Tokens, entries: list[Tree]) -> tuple[syntax.BoundLine, ...]:
    built = tuple(_bound(tokens, t) for t in entries)
    check_once("bound", [(b.name, b.span) for b in built])
    return built


def _bound(tokens: Tokens, tree: Tree) -> syntax.BoundLine:
    if rule_name(tree) == "any_number":
        return _any_number(tokens, tree)
    name, first, last = tree_parts(tree)
    check_known("bound", str(name), BOUNDS, span_of(tokens, name))
    most = syntax.MAX_VCPUS if name == "vcpus" else syntax.MAX_OPERATIONS
    low = _count(tokens, first, least=int(name == "vcpus"), most=most)
    high = low if last is None else _count(tokens, last, least=0, most=most)
    if high < low:
        place = span_of(tokens, first).to(span_of(tokens, last or first))
        raise InputError(BadBounds(span=place, problem=f"`{low}..{high}` is empty"))
    return syntax.BoundLine(str(name), low, high, span_of(tokens, tree))


def _any_number(tokens: Tokens, tree: Tree) -> syntax.BoundLine:
    name, _ = tree_parts(tree)
    check_known("bound", str(name), BOUNDS, span_of(tokens, name))
    if str(name) != "flushers":
        problem = f"`{name} any`: only flushers may be any number"
        raise InputError(BadBounds(span=span_of(tokens, tree), problem=problem))
    return syntax.BoundLine(str(name), 1, 1, span_of(tokens, tree), any_number=True)


def _count(tokens: Tokens, branch: Branch | None, *, least: int, most: int = _MOST) -> int:
    sign, digits = tree_parts(tree_in(branch))
    span = span_of(tokens, branch)
    value = constants.decode_integer(str(digits), span)[0] * (1 if sign is None else -1)
    if not least <= value <= most:
        problem = f"`{value}` is not between {least} and {most}"
        raise InputError(BadBounds(span=span, problem=problem))
    return value


def _assumptions(tokens: Tokens, entries: list[Tree]) -> tuple[syntax.Assumption, ...]:
    built = []
    for tree in entries:
        negation, name = tree_parts(tree)
        check_known("assumption", str(name), ASSUMPTIONS, span_of(tokens, name))
        span = span_of(tokens, tree)
        built.append(syntax.Assumption(str(name), negation is None, span))
    check_once("assumption", [(a.name, a.span) for a in built])
    return tuple(built)


def _memory(tokens: Tokens, tree: Tree | None) -> syntax.MemoryDecl | None:
    if tree is None:
        return None
    (name,) = tree_parts(tree)
    span = span_of(tokens, name)
    check_known("memory model", str(name), tuple(MemoryModel), span)
    return syntax.MemoryDecl(str(name), span)


def _invariant(tokens: Tokens, tree: Tree) -> syntax.InvariantDecl:
    claim, subjects, condition = tree_parts(tree)
    named = () if subjects is None else tree_in(subjects).children
    vcpus = tuple(_any_vcpu(tokens, tree_in(entry)) for entry in named)
    check_once("vCPU", [(v.value, v.span) for v in vcpus])
    return syntax.InvariantDecl(
        None if claim is None else syntax.QuotedText(str(claim), span_of(tokens, claim)),
        vcpus,
        build_expression(tokens, condition),
        span_of(tokens, tree),
    )


def _any_vcpu(tokens: Tokens, tree: Tree) -> syntax.QuotedText:
    kind, name = tree_parts(tree)
    check_known("kind of subject", str(kind), QUANTIFIED, span_of(tokens, kind))
    return syntax.QuotedText(str(name), span_of(tokens, name))


def _exempt(tokens: Tokens, entries: list[Tree]) -> tuple[syntax.Exempt, ...]:
    built = tuple(syntax.Exempt(str(t.children[0]), span_of(tokens, t)) for t in entries)
    check_once("exempt field", [(e.field, e.span) for e in built])
    return built


def _expectations(tokens: Tokens, entries: list[Tree]) -> tuple[syntax.Expectation, ...]:
    built = tuple(_expectation(tokens, t) for t in entries)
    check_once("expectation", [(e.claim, e.span) for e in built])
    return built


def _expectation(tokens: Tokens, tree: Tree) -> syntax.Expectation:
    claim, verdict, count, scope = tree_parts(tree)
    word = str(verdict)
    check_known("verdict", word, VERDICTS, span_of(tokens, verdict))
    vcpus = None if count is None else _count(tokens, count, least=1)
    if count is not None and word != Verdict.REFUTED:
        raise InputError(NoCount(span=span_of(tokens, count), verdict=word))
    if scope is not None:
        check_known("scope", str(scope), (EVERY,), span_of(tokens, scope))
    if scope is not None and word != Verdict.PROVED:
        raise InputError(NotForEvery(span=span_of(tokens, scope), verdict=word))
    return syntax.Expectation(str(claim), word, vcpus, span_of(tokens, tree), scope is not None)


# Claims -----------------------------------------------------------------------------------------


def _claim(tokens: Tokens, tree: Tree) -> syntax.ClaimSpec:
    override, name, text = tree_parts(tree)[:3]
    clauses = _clauses(tokens, tree)
    witnesses = tuple(_witness(tokens, t) for t in clauses.each("witness"))
    check_once("witness", [(w.name, w.span) for w in witnesses])
    headline, because = clauses.one("headline"), clauses.one("because")
    claim = syntax.ClaimSpec(
        name=str(name),
        text=_text(tokens, text).value if isinstance(text, lark.Tree) else "",
        witnesses=witnesses,
        ghosts=tuple(
            build_declaration(tokens, tree_in(t.children[0])) for t in clauses.each("ghost")
        ),
        handlers=tuple(_handler(tokens, t, witnesses) for t in clauses.each("handler")),
        headline=_text(tokens, tree_in(headline.children[0])).value if headline else "",
        because=_text(tokens, tree_in(because.children[0])).value if because else "",
        span=span_of(tokens, name),
        overrides=override is not None,
    )
    messages = (tree_in(m.children[0]) for m in (headline, because) if m is not None)
    pieces = (piece for message in messages for piece in message.children)
    check_messages(claim, [(str(piece), span_of(tokens, piece)) for piece in pieces])
    return claim


def _witness(tokens: Tokens, tree: Tree) -> syntax.Witness:
    kind, name = tree_parts(tree)
    check_known("kind of witness", str(kind), WITNESSES, span_of(tokens, kind))
    return syntax.Witness(str(kind), str(name), span_of(tokens, name))


def _handler(tokens: Tokens, tree: Tree, witnesses: tuple[syntax.Witness, ...]) -> syntax.Handler:
    event_tree, subject_tree, words, inside, body = tree_parts(tree)
    event = str(_leaf(event_tree))
    kind = "access" if event == "access" else "call"
    calls = tuple(w.name for w in witnesses if w.kind == kind)
    check_known("event", event, EVENTS, span_of(tokens, event_tree))
    subject = "" if subject_tree is None else str(_leaf(subject_tree))
    if (event in _WITH_SUBJECT) != bool(subject):
        raise InputError(misplaced_subject(span_of(tokens, subject_tree or event_tree), event))
    if inside is not None:
        check_known(kind, str(inside), calls, span_of(tokens, inside))
    return syntax.Handler(
        event,
        subject,
        _words(tokens, words),
        "" if inside is None else str(inside),
        build_block(tokens, body),
        span_of(tokens, event_tree),
        None if subject_tree is None else span_of(tokens, subject_tree),
    )


def _leaf(branch: Branch | None) -> Branch | None:
    return branch.children[0] if isinstance(branch, lark.Tree) else branch
