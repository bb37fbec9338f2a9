"""The whole C program of a counterexample.

In: a machine and a counterexample of one of its claims. Out: one C file, which exits with 0 if the
claim is violated when it runs, 1 if it is not, and 2 if the code does not do what the schedule
says.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from flushproof.engines.counterexample import Counterexample
from flushproof.engines.interpreter import interpreter
from flushproof.engines.schedule import Call
from flushproof.features.reproduce import code as variant
from flushproof.features.reproduce.events import Happened, ProgramEvent, collect_events
from flushproof.features.reproduce.layout import ObjectLayout, layout_objects
from flushproof.features.reproduce.monitor import (
    Monitored,
    announcing_functions,
    c_literal,
    code_of,
    define_claim_words,
    emit_handlers,
    escape_comment,
    initial_literal,
    listens_to,
    start_lines,
    witness_bits,
)
from flushproof.features.reproduce.named_operations import call_number, tells_operations
from flushproof.features.reproduce.stop_points import (
    Spans,
    driver_events,
    free_calls,
    list_uninitialised,
    needed_hooks,
)
from flushproof.frontend.c import syntax as c
from flushproof.frontend.spec.syntax import ClaimSpec, OperationDecl
from flushproof.ir.program import Operation, Program, Role
from flushproof.ir.types import VcpuRef
from flushproof.machine.build import Machine
from flushproof.machine.monitors import RUNS_ON
from flushproof.report.plain import escape_unprintable
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import Record
from flushproof.verify.trace.value_names import number_words, root_letter

DRIVER = (Path(__file__).parent / "driver.c").read_text(encoding="utf-8")

HEAD = """\
/*
 * {title}
 *
 * {headline}
 *
 * Compile this file with gcc or clang and run it. It drives the code below step by step through
 * the schedule at its end and exits with 0 if the claim is violated. The claim is checked by its
 * own text, compiled like everything else.
 */
#include <stdbool.h>
#include <stdio.h>
#include <ucontext.h>

#pragma GCC diagnostic ignored "-Wunused-parameter"

#define VCPUS {vcpus}
#define THREADS {threads}
#define STACK 65536

"""
SYSTEM = '# 1 "{file}" 3\n'
BACK = '# {line} "reproduce.c"\n'


class NotByRunning(Diagnostic, frozen=True, kw_only=True):
    """A claim whose violation cannot be seen when C runs."""

    CODE: ClassVar[str] = "FP0904"
    TITLE: ClassVar[str] = "`{claim}` cannot be reproduced by running C: {why}"
    claim: str
    why: str


UNINIT = "C gives no meaning to reading a variable before it is written, so a run shows nothing"
BUFFERED = "the stores of a C program cannot be kept in a store buffer at will"


def require_showable(machine: Machine, claim: ClaimSpec) -> None:
    """Refuse claims that cannot be shown.

    Raises:
        InputError: running C does not show violations of this claim.
    """
    why = UNINIT if listens_to(claim, "uninit") else ""
    if machine.setup.memory is not MemoryModel.SC:
        why = BUFFERED
    if why:
        raise InputError(NotByRunning(span=None, claim=claim.name, why=why))


def emit_program(machine: Machine, program: Program, found: Counterexample, headline: str) -> str:
    """Return the C program.

    Raises:
        InputError: the code or the claim cannot be written as C.
    """
    assert found.claim is not None
    claim = machine.setup.claim(found.claim)
    assert claim is not None
    require_showable(machine, claim)
    return _Emitter(
        machine, claim, layout_objects(machine), program, collect_events(program, found)
    ).run(headline)


class _Emitter(Record):
    machine: Machine
    claim: ClaimSpec
    layout: ObjectLayout
    program: Program
    run_: Happened

    def run(self, headline: str) -> str:
        every = listens_to(self.claim, "step") or listens_to(self.claim, "access")
        hooks = needed_hooks(self.run_.events, every=every) | self.run_.ahead | self._chosen()
        events = driver_events(self.run_.events, hooks)
        wanted = code_of(self.claim)
        text = variant.emit_code(self.machine, self.layout, hooks, (*wanted, *self._cache()))
        m = Monitored(
            self.machine,
            self.layout,
            self.claim,
            self.program,
            dict(self.run_.witnesses),
            self.run_.vcpus,
        )
        threads = self.run_.vcpus + self.machine.setup.bounds.flushers
        head = HEAD.format(
            title=escape_comment(f"{self.claim.name} of {self.machine.setup.variant.name}"),
            headline=escape_comment(headline),
            vcpus=self.run_.vcpus,
            threads=threads,
        )
        parts = [head, variant.BEFORE, "\n"]
        parts = [*_quiet(parts, text.before, "kernel.h"), "\n"]
        parts = [*_quiet(parts, text.proper, text.file or self.machine.setup.variant.name), "\n"]
        parts = [*_quiet(parts, text.after, "kernel.h"), "\n"]
        parts += [define_claim_words(m), "\n"]
        parts = _quiet(parts, emit_handlers(m), "claims")
        parts += [
            announcing_functions(m),
            self._set_up(m),
            self._calls(),
            "\n",
            self._schedule(events),
            "\n",
        ]
        parts += [f'#define FAILURE "{_quoted(headline)}"\n\n', DRIVER]
        return "".join(parts)

    def _chosen(self) -> Spans:
        """Return where the code takes any value and the counterexample says which."""
        functions = self.machine.env.declarations.functions.values()
        known = list_uninitialised(functions) | free_calls(
            functions, variant.free_names(self.machine)
        )
        taken = {e.span for e in self.run_.events if e.kind == "ANYTHING" and e.span is not None}
        return known & taken

    def _cache(self) -> tuple[c.Expr, ...]:
        cache = self.machine.cache
        return () if cache is None else (cache.condition, cache.root)

    # Boot --------------------------------------------------------------------------------------

    def _set_up(self, m: Monitored) -> str:
        lines = [start_lines(m)]
        for where, struct in self.layout.pointers:
            target = self.layout.structs[struct]
            count = range(m.vcpus) if "{}" in where else range(1)
            lines += (f"\t{where.format(v)} = &{target};\n" for v in count)
        used = {f.name for f in self.machine.base.fields if not f.ghost}
        for f, value in self.machine.base.boot:
            if f == RUNS_ON or f.name not in used:
                continue
            for x in interpreter.field_locations(f, m.vcpus):
                number = interpreter.boot_value_at(value, x, m.vcpus)
                lines.append(f"\t{self.layout.place(x)} = {initial_literal(number, f.type)};\n")
        for f in self.machine.base.witnesses:
            number = self.run_.witnesses[f.name]
            lines.append(f"\t{self.layout.place((f.name, None))} = {c_literal(number)};\n")
        return "\nstatic void set_up(void)\n{\n" + "".join(lines) + "}\n\n"

    # Calls -------------------------------------------------------------------------------------

    def _calls(self) -> str:
        return "".join(self._call(k, *entry) for k, entry in enumerate(self.run_.calls.items()))

    def _call(self, k: int, key: tuple[int, int], call: Call) -> str:
        operation = next(o for o in self.program.operations if o.name == call.operation)
        decl = next(o for o in self.machine.setup.operations if o.function == call.operation)
        p = operation.parameters
        known = witness_bits(self.claim)
        chosen = sum(1 << known[n] for n in self.run_.chosen.get(key, ()) if n in known)
        given = call.arguments
        whole = given[p.whole.name] if p.whole else int(p.start is None)
        values = {
            **self._named(operation, call),
            "load": int(operation.role is Role.LOAD and not operation.named),
            "vcpu": given[p.vcpu.name] if p.vcpu else 0,
            "root": c_literal(given[p.root.name]) if p.root else 0,
            "whole": whole,
            "start": c_literal(given[p.start.name]) if p.start else 0,
            "pages": c_literal(given[p.pages.name]) if p.pages else 0,
            "chosen": chosen,
            "run": f"run{k}",
        }
        fields = ", ".join(f".{name} = {value}" for name, value in values.items())
        body = self._invocation(operation, decl, call)
        return (
            f"static long long run{k}(void)\n{{\n{body}}}\n"
            f"static const struct call call{k} = {{ {fields} }};\n\n"
        )

    def _named(self, operation: Operation, call: Call) -> dict[str, str]:
        """Return what tells apart calls of operations that go by their own names."""
        setup = self.machine.setup
        if not tells_operations(setup, self.claim):
            return {}
        values = (c_literal(call.arguments[x.name]) for x in operation.given)
        given = ", ".join(values) if operation.named else ""
        return {
            "operation": str(call_number(setup, operation.name)),
            "given": f"{{ {given or '0'} }}",
        }

    def _invocation(self, operation: Operation, decl: OperationDecl, call: Call) -> str:
        f = self.machine.env.declarations.functions[decl.function]
        named = [p for p in f.parameters if p.declarator.name]
        before = ""
        given: list[str] = []
        for parameter, role in zip(named, decl.roles, strict=True):
            text, extra = self._argument(operation, parameter, role.value, call)
            before += extra
            given.append(text)
        invoke = f"{f.name}({', '.join(given)})"
        if f.type.name == "void" and not f.pointers:
            return f"{before}\t{invoke};\n\treturn 0;\n"
        return f"{before}\treturn {invoke};\n"

    def _argument(
        self, operation: Operation, parameter: c.Parameter, role: str, call: Call
    ) -> tuple[str, str]:
        p = operation.parameters
        given = call.arguments
        name = parameter.declarator.name
        match role:
            case "kvm":
                return f"&{self.layout.structs[parameter.type.name]}", ""
            case "vcpu" if p.vcpu is not None:
                where = self.layout.structs[parameter.type.name]
                return f"&{where.format(given[p.vcpu.name])}", ""
            case "any vcpu":
                where = self.layout.structs[parameter.type.name]
                return f"&{where.format(given[name])}", ""
            case "range" if p.whole is not None:
                return self._range(operation, parameter, call)
            case _:
                return (c_literal(given[name]) if name in given else "(void *)0"), ""

    def _range(self, operation: Operation, parameter: c.Parameter, call: Call) -> tuple[str, str]:
        p = operation.parameters
        assert p.whole is not None
        assert p.start is not None
        assert p.pages is not None
        if call.arguments[p.whole.name]:
            return "(void *)0", ""
        struct = parameter.type.name
        start, pages = list(self.machine.env.declarations.structs[struct].members)[:2]
        values = f".{start} = {c_literal(call.arguments[p.start.name])}, "
        values += f".{pages} = {c_literal(call.arguments[p.pages.name])}"
        return "&range", f"\tstruct {struct} range = {{ {values} }};\n\n"

    # Schedule ----------------------------------------------------------------------------------

    def _schedule(self, events: tuple[ProgramEvent, ...]) -> str:
        numbers = {key: k for k, key in enumerate(self.run_.calls)}
        rows = "".join(f"\t{{ {self._row(e, numbers)} }},\n" for e in events)
        return (
            "static const struct step {\n\tint thread;\n\tenum kind kind;\n\tconst void *place;\n"
            "\tlong long value;\n\tconst struct call *call;\n\tconst char *says;\n"
            f"}} schedule[] = {{\n{rows}}};\n"
        )

    def _row(self, e: ProgramEvent, numbers: dict[tuple[int, int], int]) -> str:
        place = "(void *)0"
        if e.location is not None:
            state = ".state" if "LOCK" in e.kind else ""
            place = f"&{self.layout.place(e.location)}{state}"
        call = f"&call{numbers[e.thread, e.call]}" if e.kind == "ENTER" else "(void *)0"
        result = e.value if e.kind in ("HYPERCALL", "ANYTHING") else 0
        says = f'"{_quoted(self._says(e))}"'
        return f"{e.thread}, {e.kind}, {place}, {c_literal(result)}, {call}, {says}"

    def _says(self, e: ProgramEvent) -> str:
        n = self.run_.vcpus
        other = "flusher" if any(not o.named for o in self.program.of(Role.FLUSH)) else "thread"
        who = f"vCPU{e.thread}" if e.thread < n else f"{other}{e.thread - n}"
        call = self.run_.calls[e.thread, e.call]
        what = e.kind.lower().replace("_", " ")
        where = "" if e.location is None else f" {self.layout.place(e.location)}"
        match e.kind:
            case "ENTER":
                what = f"{call.operation}({self._argument_words(call)})"
            case "HYPERCALL":
                what = f"flush {self._root(e.root)} {'fails' if e.value else 'succeeds'}"
            case _:
                pass
        return f"{who}: {what}{where}"

    def _argument_words(self, call: Call) -> str:
        operation = next(o for o in self.program.operations if o.name == call.operation)
        root = operation.parameters.root
        if not operation.named:
            return "" if root is None else self._root(call.arguments[root.name])
        values = ((x, call.arguments[x.name]) for x in operation.given)
        return ", ".join(
            self._root(v)
            if x == root
            else f"vCPU{v}"
            if isinstance(x.type, VcpuRef)
            else number_words(v)
            for x, v in values
        )

    def _root(self, value: int | None) -> str:
        known = list(dict.fromkeys(self._loaded()))
        if value in known:
            return root_letter(known.index(value))
        return "nothing" if value is None else hex(value)

    def _loaded(self) -> Iterator[int]:
        for call in self.run_.calls.values():
            operation = next(o for o in self.program.operations if o.name == call.operation)
            if operation.parameters.root is not None:
                yield call.arguments[operation.parameters.root.name]


def _quiet(parts: list[str], text: str, file: str) -> list[str]:
    """Add text in which a compiler shall warn of nothing, as in a system header."""
    before = "".join((*parts, SYSTEM.format(file=_quoted(file)), text))
    line = before.count("\n") + 2
    return [before if before.endswith("\n") else before + "\n", BACK.format(line=line)]


def _quoted(text: str) -> str:
    """Write a text so that it stays within the quotes around it."""
    return escape_unprintable(text).replace("\\", "\\\\").replace('"', '\\"')
