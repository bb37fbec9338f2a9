"""From lark trees to what stands at file level: functions, types and global variables."""

from __future__ import annotations

from flushproof.frontend.c import syntax
from flushproof.frontend.c.builder import (
    FUNCTIONS,
    VARIABLES,
    DeclarationBase,
    build_arguments,
    build_base,
    build_block,
    build_declaration,
    build_declarator,
    build_declared,
    build_typed,
    confine_storage,
    function_base,
    is_typeless,
)
from flushproof.frontend.c.constants import OutsideSubset
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
from flushproof.frontend.c.scoped_guards import GUARD, without_guards
from flushproof.frontend.c.type_errors import Mismatch
from flushproof.support.diagnostics import InputError
from flushproof.support.record import replace

MEANINGS = frozenset(
    [
        "__acquires",
        "__acquires_shared",
        "__compare_exchange",
        "__constant",
        "__waits_for",
        "__elements",
        "__exchange",
        "__exchange_add",
        "__exchange_and",
        "__exchange_or",
        "__fence",
        "__first",
        "__flag_of",
        "__free",
        "__greatest",
        "__hypercall",
        "__ignored",
        "__initialises",
        "__least",
        "__load",
        "__num_vcpus",
        "__releases",
        "__releases_fenced",
        "__releases_shared",
        "__store",
        "__store_fence",
        "__store_release",
        "__tries",
        "__tries_shared",
        "__typed",
        "__unreachable",
        "__value",
        "__vcpu_at",
    ]
)
"""The words behind a prototype that say what the machine does."""
_SPARSE = frozenset({"__acquires", "__releases", "__must_hold", "__cond_acquires", "__cond_lock"})
"""Words that only another checker reads where the function has a body, which says what it does."""


def build_item(tokens: Tokens, tree: Tree) -> tuple[syntax.TopLevel, ...]:
    """Build the items of one tree; a type defined on the spot is an item of its own."""
    match rule_name(tree):
        case "function":
            return (_finished(build_function(tokens, tree)),)
        case "untyped_function":
            return (_finished(_untyped(tokens, tree)),)
        case "old_function":
            return (_finished(_old(tokens, tree)),)
        case "typedef":
            return _typedef(tokens, tree)
        case "declaration":
            return _declaration(tokens, tree)
        case name:
            raise AssertionError(f"the grammar has no item `{name}`")


def _finished(f: syntax.Function) -> syntax.Function:
    """Return a function without guards; one that itself has their name would be taken for one."""
    if f.name == GUARD:
        raise InputError(OutsideSubset(span=f.span, construct=f"a function named `{GUARD}`"))
    return without_guards(f)


def build_function(tokens: Tokens, tree: Tree) -> syntax.Function:
    """Build a function definition or a prototype."""
    specifiers, pointers, name, parameters, *rest = tree_parts(tree)
    before = confine_storage(function_base(tokens, tree_in(specifiers)), FUNCTIONS)
    if before.definition is not None:
        raise InputError(OutsideSubset(span=before.span, construct="types defined by a function"))
    bodies = trees_of_rule(rest, "block")
    annotations = tuple(_annotation(tokens, t) for t in trees_of_rule(rest, "annotation"))
    _check_annotations(annotations, bodied=bool(bodies))
    return syntax.Function(
        name=str(name),
        type=before.type,
        pointers=build_declarator(tokens, [pointers], before.span).pointers,
        parameters=() if parameters is None else _parameters(tokens, tree_in(parameters)),
        annotations=() if bodies else annotations,
        body=build_block(tokens, bodies[0]) if bodies else None,
        span=span_of(tokens, name),
        untyped=is_typeless(tree_in(specifiers)),
    )


def _untyped(tokens: Tokens, tree: Tree) -> syntax.Function:
    """Build a function whose type is left out, which is int."""
    name, parameters, body = tree_parts(tree)
    span = span_of(tokens, name)
    return syntax.Function(
        name=str(name),
        type=syntax.WrittenType("name", "int", span),
        pointers=0,
        parameters=() if parameters is None else _parameters(tokens, tree_in(parameters)),
        annotations=(),
        body=build_block(tokens, tree_in(body)),
        span=span,
        untyped=True,
    )


def _old(tokens: Tokens, tree: Tree) -> syntax.Function:
    """Build a function whose parameters are declared behind their names; int where they are not."""
    specifiers, pointers, name, identifiers, *rest = tree_parts(tree)
    span = span_of(tokens, name)
    before = None
    if specifiers is not None:
        before = confine_storage(function_base(tokens, tree_in(specifiers)), FUNCTIONS)
    if before is not None and before.definition is not None:
        raise InputError(OutsideSubset(span=before.span, construct="types defined by a function"))
    return syntax.Function(
        name=str(name),
        type=syntax.WrittenType("name", "int", span) if before is None else before.type,
        pointers=build_declarator(tokens, [pointers], span).pointers,
        parameters=_declared_behind(
            tokens, tree_in(identifiers), trees_of_rule(rest, "declaration")
        ),
        annotations=(),
        body=build_block(tokens, trees_of_rule(rest, "block")[0]),
        span=span,
        untyped=specifiers is None or is_typeless(tree_in(specifiers)),
        unprototyped=True,
    )


def _declared_behind(
    tokens: Tokens, identifiers: Tree, declarations: list[Tree]
) -> tuple[syntax.Parameter, ...]:
    known: dict[str, syntax.Parameter] = {}
    names = [str(n) for n in identifiers.children]
    for d in (build_declaration(tokens, t) for t in declarations):
        for entry in d.declarators:
            name = entry.declarator.name
            if entry.initialiser is not None or name in known or names.count(name) != 1:
                text = f"`{name}` is not declared once, as a parameter without a value"
                raise InputError(Mismatch(span=entry.span, text=text))
            known[name] = syntax.Parameter(d.type, entry.declarator, entry.span)
    return tuple(known.get(str(n)) or _undeclared(tokens, n) for n in identifiers.children)


def _undeclared(tokens: Tokens, name: Branch) -> syntax.Parameter:
    span = span_of(tokens, name)
    written = syntax.WrittenType("name", "int", span)
    return syntax.Parameter(written, build_declarator(tokens, (name,), span), span)


def _parameters(tokens: Tokens, tree: Tree) -> tuple[syntax.Parameter, ...]:
    """Build the parameters; `(void)` gives none, a final `...` is a parameter of type `...`."""
    named = [
        syntax.Parameter(*build_typed(tokens, t), span_of(tokens, t))
        for t in trees_of_rule(tree.children, "parameter")
    ]
    if len(named) == 1 and _is_void(named[0]):
        named = []
    for ellipsis in trees_of_rule(tree.children, "ellipsis"):
        span = span_of(tokens, ellipsis)
        nameless = build_declarator(tokens, (), span)
        named.append(syntax.Parameter(syntax.WrittenType("name", "...", span), nameless, span))
    return tuple(named)


def _is_void(parameter: syntax.Parameter) -> bool:
    place = parameter.declarator
    bare = not (place.name or place.pointers or place.arrays or place.function_pointer)
    return parameter.type.name == "void" and parameter.type.kind == "name" and bare


def _annotation(tokens: Tokens, tree: Tree) -> syntax.Annotation:
    name, given = tree_parts(tree)
    return syntax.Annotation(str(name), build_arguments(tokens, given), span_of(tokens, tree))


def _check_annotations(annotations: tuple[syntax.Annotation, ...], *, bodied: bool) -> None:
    known = _SPARSE if bodied else MEANINGS | _SPARSE
    for a in annotations:
        if a.name not in known:
            construct = f"`{a.name}` behind the parameters of a function"
            raise InputError(OutsideSubset(span=a.span, construct=construct))


def _typedef(tokens: Tokens, tree: Tree) -> tuple[syntax.TopLevel, ...]:
    specifiers, inner = tree_parts(tree)
    before = confine_storage(build_base(tokens, tree_in(specifiers)), frozenset())
    name = build_declarator(tokens, tree_in(inner).children, span_of(tokens, inner))
    definitions, before = _split(before, name.name)
    return (*definitions, syntax.Typedef(before.type, name, span_of(tokens, tree)))


def _declaration(tokens: Tokens, tree: Tree) -> tuple[syntax.TopLevel, ...]:
    before = confine_storage(build_base(tokens, tree_in(tree.children[0])), VARIABLES)
    names = trees_of_rule(tree.children, "init_declarator")
    if not names and before.definition is not None:
        return (before.definition,)
    # The tag of a nameless type is taken from the first name declared with it.
    first = build_declared(tokens, tree, before).declarators[:1]
    definitions, before = _split(before, first[0].declarator.name if first else "")
    return (*definitions, build_declared(tokens, tree, before))


def _split(
    before: DeclarationBase, tag: str
) -> tuple[tuple[syntax.StructDef | syntax.EnumDef, ...], DeclarationBase]:
    """Take the definition out of `before`; a nameless one is tagged `tag`."""
    if before.definition is None:
        return (), before
    name = before.definition.name or tag
    written = replace(before.type, name=name)
    return (replace(before.definition, name=name),), replace(before, type=written, definition=None)
