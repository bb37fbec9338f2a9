"""The C text of a variant with a stand-in for the kernel around it.

In: a machine and the places that need hooks. Out: text that defines the operations, the objects
`the_vm` and `the_vcpus`, and all that the code calls. A variant written for this program stands in
it as it is; of anything else, such as a kernel file, the part that was read is written from its
tree.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from flushproof.features.reproduce import functions as fn
from flushproof.features.reproduce.guards import guard_macros
from flushproof.features.reproduce.headers import not_found, own_files, own_text
from flushproof.features.reproduce.layout import ObjectLayout
from flushproof.features.reproduce.stop_points import (
    Spans,
    free_calls,
    hook_function,
    hook_source,
    settle_free_calls,
)
from flushproof.features.reproduce.types import type_definitions, type_items
from flushproof.frontend.c import printer
from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.attributes import CALLED, WORDS
from flushproof.frontend.c.terminals import ATOMIC
from flushproof.frontend.c.walk import walk
from flushproof.frontend.setup import Setup
from flushproof.ir.code import FieldScope, Havoc
from flushproof.machine.build import Machine
from flushproof.support.record import Record
from flushproof.support.resources import PRELUDE

BEFORE = (Path(__file__).parent / "before.c").read_text(encoding="utf-8")
"""What the code's accesses, locks and hypercalls become."""

MACROS = """\
#define container_of(pointer, type, member) \\
	((type *)(void *)((char *)(pointer) - __builtin_offsetof(type, member)))
#define kvm_for_each_vcpu(i, v, k) \\
	for ((void)(k), (i) = 0; (long long)(i) < VCPUS && ((v) = vcpu_at((int)(i)), 1); (i)++)

"""
VCPU_AT = "static struct kvm_vcpu *vcpu_at(int i)"
_DEFINE = re.compile(r"^[ \t]*#[ \t]*define\b(?:.*\\\n)*.*$", re.MULTILINE)
_NOT_ALONE = re.compile(r"(?:^[ \t]*#[ \t]*(include)|\b(extern))\b", re.MULTILINE)
_WORD = re.compile(r"\b[A-Za-z_]\w*\b")
BUILTIN = "__builtin_"
"""How the names begin of what the compiler has by itself."""
_PREDEFINED = re.compile(r"[ \t]*#[ \t]*define[ \t]+__\w+__[ \t]")
NATIVE = frozenset({"__attribute__", "__attribute", "__extension__"})


class CodeParts(Record, frozen=True):
    """Text in three parts: before the code proper, the code, and after it."""

    before: str
    proper: str
    after: str
    file: str


def emit_code(
    machine: Machine,
    layout: ObjectLayout,
    hooks: Spans,
    extra: Iterable[c.Expr | c.Stmt] = (),
    *,
    most: str = "VCPUS",
) -> CodeParts:
    """Return the C text of a machine's code; `extra` is code that needs its functions too.

    There is room for `most` vCPUs, where `VCPUS` is no constant.

    Raises:
        InputError: a function cannot be written as C.
    """
    functions = _functions_to_emit(machine, hooks, extra)
    verbatim = functions.verbatim
    before = _before(machine, list(functions.others), verbatim=verbatim)
    proper = _code_proper(machine, functions, hooks)
    outside = _outside(machine) if verbatim else ""
    after = outside + _objects(layout, most) + _helpers(machine, functions.others)
    return CodeParts(before, proper, after, machine.setup.variant.name if verbatim else "")


class _EmittedFunctions(Record, frozen=True):
    """The functions of the variant, and the others that these need.

    `verbatim`: the file stands in C as it is. `dead` are calls in the variant whose result, which
    may be anything, is not used.
    """

    own: tuple[c.Function, ...]
    others: tuple[c.Function, ...]
    dead: Spans
    verbatim: bool


def _functions_to_emit(
    machine: Machine, hooks: Spans, extra: Iterable[c.Expr | c.Stmt]
) -> _EmittedFunctions:
    declarations = machine.env.declarations
    own = _own_functions(machine)
    dead = _dead(machine, own)
    verbatim = not dead and not _reason_against(machine, own, edits=bool(hooks))
    if not verbatim:
        roots = [declarations.functions[o.function] for o in machine.setup.operations]
        bodies = [f.body for f in roots if f.body is not None]
        plain = _plain(fn.reachable_functions(declarations, bodies))
        own = list({f.name: f for f in (*roots, *plain)}.values())
        dead = _dead(machine, own)
    named = _named(machine) if verbatim else ()
    bodies_ = (f.body for f in own if f.body is not None)
    needed = fn.reachable_functions(declarations, (*bodies_, *extra, *named))
    names_ = {f.name for f in own}
    others = (f for f in needed if f.name not in names_ and not f.name.startswith(BUILTIN))
    return _EmittedFunctions(tuple(own), tuple(others), dead, verbatim)


def _code_proper(machine: Machine, functions: _EmittedFunctions, hooks: Spans) -> str:
    """Return the variant's own code: its file, or what was read of it printed again."""
    if functions.verbatim:
        variant = machine.setup.variant
        return (
            hook_source(variant, list(functions.own), hooks) if hooks else own_text(machine.setup)
        )
    heads = (f"{fn.function_prototype(f)};\n" for f in functions.own)
    settled = (settle_free_calls(f, functions.dead) for f in functions.own)
    printed = (printer.print_item(hook_function(f, hooks)) for f in settled)
    return "".join((_globals(machine), *heads, *(f"\nstatic {text}\n" for text in printed)))


def _helpers(machine: Machine, others: tuple[c.Function, ...]) -> str:
    """Return the definitions of the functions that are not the variant's own."""
    idle = _dead(machine, others)
    plain = (settle_free_calls(f, idle) for f in others if not fn.is_macro(f))
    return "".join(f"\n{fn.function_definition(f)}" for f in plain)


def free_names(machine: Machine) -> frozenset[str]:
    """Return the functions that may return anything."""
    known = machine.env.declarations.functions.values()
    return frozenset(f.name for f in known if any(a.name == "__free" for a in f.annotations))


def _named(machine: Machine) -> tuple[c.Name, ...]:
    """Return every name in the text; macros of its own may use what no tree shows."""
    text = own_text(machine.setup)
    span = machine.setup.operations[0].span
    return tuple(c.Name(name, span) for name in dict.fromkeys(_WORD.findall(text)))


def _dead(machine: Machine, functions: Iterable[c.Function]) -> Spans:
    """Return the calls that may return anything and of which the operations use nothing."""
    live = {i.span for o in machine.base.operations for i in o.code if isinstance(i, Havoc)}
    return free_calls(functions, free_names(machine)) - live


def _plain(functions: list[c.Function]) -> list[c.Function]:
    return [f for f in functions if f.body is not None and not f.annotations]


def _own_functions(machine: Machine) -> list[c.Function]:
    files = own_files(machine.setup)
    found = machine.env.declarations.functions.values()
    return [f for f in found if f.span.file in files and f.body is not None]


def reason_against(machine: Machine) -> str:
    """Return why the file cannot stand in C as it is, "" where it can."""
    return _reason_against(machine, _own_functions(machine), edits=False)


def _reason_against(machine: Machine, own: list[c.Function], *, edits: bool) -> str:
    """Return why the file cannot stand in C: it has to define what it uses, and nothing twice.

    With `edits` it is changed there, which headers cannot be.
    """
    setup = machine.setup
    if not setup.whole:
        return "only a part of it was read"
    if edits and (found := _NOT_ALONE.search(setup.variant.text)):
        return f"it has an `{found[1] or found[2]}`"
    if missing := not_found(setup):
        return f"`{missing}` is not one of its headers"
    files = own_files(setup)
    given = [u for u in setup.units if not _of(u, files)]
    theirs = [u for u in setup.units if _of(u, files)]
    twice = type_items(given).keys() & {k for k in type_items(theirs) if not k[1].isdigit()}
    known = machine.env.declarations
    bodies = {i.name for u in theirs for i in u.items if isinstance(i, c.Function)}
    own_meaning = {n for n in bodies if known.functions[n].annotations}
    called = {
        n.function.id
        for f in own
        if f.body is not None
        for n in walk(f.body)
        if isinstance(n, c.CallExpr) and isinstance(n.function, c.Name)
    }
    for names, why in (
        ({name for _, name in twice}, "defined by the prelude, too"),
        (own_meaning, "a function of the machine"),
        (called - known.functions.keys(), "not defined"),
    ):
        if names:
            return f"`{min(names)}` is {why}"
    return ""


def _of(unit: c.TranslationUnit, files: frozenset[str]) -> bool:
    return any(i.span.file in files for i in unit.items)


# Before ----------------------------------------------------------------------------------------


def _before(machine: Machine, others: list[c.Function], *, verbatim: bool) -> str:
    setup = machine.setup
    units = setup.units
    macros = [MACROS]
    if verbatim:
        units = tuple(u for u in units if not _of(u, own_files(setup)))
        defined = _DEFINE.findall(PRELUDE.read_text(encoding="utf-8"))
        macros += [f"{m}\n" for m in defined if not _PREDEFINED.match(m)]
        macros += _empty_words(own_text(setup))
    types = type_definitions(type_items(units), machine.env.lock_types)
    macros += [fn.function_as_macro(f) for f in others if fn.is_macro(f)]
    heads = [f"{fn.function_prototype(f)};\n" for f in others if not fn.is_macro(f)]
    guards = guard_macros(own_text(setup)) if verbatim else ""
    blocks = f"#define {ATOMIC}\n" if _has_blocks(setup) else ""
    return "".join((types, "\n", *macros, "\n", VCPU_AT, ";\n", *heads, guards, blocks))


def _has_blocks(setup: Setup) -> bool:
    """Tell whether some function has an atomic block, which is one step by itself where C runs."""
    bodies = (f.body for f in setup.declarations.functions.values() if f.body is not None)
    return any(isinstance(n, c.Block) and n.atomic for body in bodies for n in walk(body))


def _empty_words(text: str) -> list[str]:
    """Return definitions, as nothing, of the kernel's words that mean nothing here."""
    out: list[str] = []
    for word in dict.fromkeys(_WORD.findall(text)):
        if word in NATIVE:
            continue
        if word in WORDS:
            out.append(f"#undef {word}\n#define {word}\n")
        elif word in CALLED:
            out.append(f"#undef {word}\n#define {word}(...)\n")
    return out


def _globals(machine: Machine) -> str:
    """Return the variables at file level; one with a value comes before one without."""
    found: dict[str, str] = {}
    used = set(machine.env.declarations.globals)
    for unit in machine.setup.units:
        for item in unit.items:
            if isinstance(item, c.Declaration):
                kept = tuple(d for d in item.declarators if d.declarator.name in used)
                for d in kept:
                    one = c.Declaration(item.type, ("static",), (d,), item.span)
                    if d.initialiser is not None or d.declarator.name not in found:
                        found[d.declarator.name] = printer.print_item(one) + "\n"
    return "".join(found.values())


def _outside(machine: Machine) -> str:
    """Return definitions of the variables that another file would define."""
    witnesses = {f.outermost for f in machine.base.witnesses}
    names = witnesses & {g.name for g in machine.env.declarations.globals.values() if g.elsewhere}
    return "".join(f"__typeof__({name}) {name};\n" for name in sorted(names))


def _objects(layout: ObjectLayout, most: str) -> str:
    return (
        f"static struct {layout.outer[FieldScope.VM]} the_vm;\n"
        f"static struct {layout.outer[FieldScope.VCPU]} the_vcpus[{most}];\n\n"
        f"{VCPU_AT}\n{{\n\treturn i >= 0 && i < VCPUS ? "
        f"&{layout.anchor(FieldScope.VCPU).format('i')} : (void *)0;\n}}\n"
    )
