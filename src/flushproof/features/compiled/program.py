"""The C program in which a variant's own text is driven.

In: a machine. Out: C text that reads sequences and prints a line after boot and for each operation:
its hypercalls, its result, and the value of each field of `fields_shown`, in that order; the last
word says whether anything else has changed since boot.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from flushproof.engines.interpreter import interpreter
from flushproof.engines.interpreter.interpreter import Location
from flushproof.features.compiled.inputs import FREE_ARGUMENTS, LENGTH, MOST_VCPUS, RESULTS
from flushproof.features.reproduce import code as variant
from flushproof.features.reproduce.headers import line_marker
from flushproof.features.reproduce.layout import BitPart, ObjectLayout, layout_objects
from flushproof.features.reproduce.monitor import c_literal, initial_literal
from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.types import Integer
from flushproof.frontend.c.walk import walk
from flushproof.ir.code import Expr, Field
from flushproof.ir.program import Operation
from flushproof.ir.types import Int, LockWord, VcpuRef
from flushproof.machine.build import Machine
from flushproof.machine.monitors import RUNS_ON
from flushproof.support.diagnostics import Diagnostic, InputError
from flushproof.support.record import Record, replace

DRIVER = (Path(__file__).parent / "driver.c").read_text(encoding="utf-8")

HEAD = """\
#define bool _Bool
#define MOST_VCPUS {vcpus}
#define VCPUS vcpu_count
#define THREADS {threads}
#define FREE_ARGUMENTS {free}
#define RESULTS {results}
#define STEPS {steps}
#define OUTSIDE {outside}
static int vcpu_count;
"""


class NotDriven(Diagnostic, frozen=True, kw_only=True):
    """A file whose own text no compiler can be given."""

    CODE: ClassVar[str] = "FP0920"
    TITLE: ClassVar[str] = "gcc cannot be asked about `{path}`: {why}"
    HELP: ClassVar[str] = "leave out `--agree gcc`"
    path: str
    why: str


def driven_text(machine: Machine) -> str:
    """Return the C program.

    Raises:
        InputError: the text of the variant cannot stand in C as it is.
    """
    return make_program(machine).text(DRIVER)


def make_program(machine: Machine) -> DrivenProgram:
    """Return the program without a driver.

    Raises:
        InputError: the text of the variant cannot stand in C as it is.
    """
    why = variant.reason_against(machine)
    if why:
        raise refuse_variant(machine, why)
    where = layout_objects(machine)
    constant = _constants(machine)
    for f in machine.base.witnesses:
        if not isinstance(f.type, Int) or f.outermost in constant:
            raise refuse_variant(machine, f"`{f.member}` of another file is constant or an address")
    missing = [
        f.member
        for f in fields_shown(machine, where)
        if f.name not in where.fields.keys() | where.bits.keys()
    ]
    if missing:
        raise refuse_variant(
            machine, f"`{missing[0]}` is no member of a struct and no variable of a file"
        )
    return DrivenProgram(machine, where)


def refuse_variant(machine: Machine, why: str) -> InputError:
    """Return the error for a variant about which gcc cannot be asked."""
    return InputError(NotDriven(span=None, path=machine.setup.variant.name, why=why))


def fields_shown(machine: Machine, where: ObjectLayout) -> tuple[Field, ...]:
    """Return the fields that are compared: not those that hold an address that only C knows."""
    return tuple(
        f for f in machine.places if f.name not in where.addresses and not is_function_static(f)
    )


def is_function_static(f: Field) -> bool:
    """Tell whether a field is a static variable of a function, which nothing else can look at."""
    return "(" in f.name


def gives_number(machine: Machine, operation: Operation) -> bool:
    """Tell whether the C function of an operation returns an integer."""
    f = machine.env.declarations.functions[operation.name]
    return not f.pointers and isinstance(machine.env.declarations.base(f.type), Integer)


class DrivenProgram(Record):
    """A program for any driver that has `drv_now`, `drv_boot` and what the shows below call."""

    machine: Machine
    where: ObjectLayout

    def text(self, driver: str) -> str:
        """Return the program with a driver."""
        flushers = self.machine.setup.bounds.flushers
        head = HEAD.format(
            vcpus=MOST_VCPUS,
            threads=MOST_VCPUS + flushers,
            free=FREE_ARGUMENTS,
            results=RESULTS,
            steps=LENGTH,
            outside=len(self.machine.base.witnesses),
        )
        code = variant.emit_code(self.machine, self.where, frozenset(), most="MOST_VCPUS + 1")
        name = self.machine.setup.variant.name
        own = f"\n{line_marker(1, name)}{code.proper}\n{line_marker(1, 'driver.c')}"
        functions = (self._set_up(), self._show(), self._operations())
        return "".join((head, variant.BEFORE, code.before, own, code.after, driver, *functions))

    # State -------------------------------------------------------------------------------------

    def _set_up(self) -> str:
        lines = [
            f"\tfor (int i = 0; i < VCPUS; i++)\n\t\t{pointer.format('i')} = &{self._struct(s)};\n"
            for pointer, s in self.where.pointers
        ]
        for f, value in self.machine.base.boot:
            if f != RUNS_ON and f in self.machine.base.fields and not self._starts_itself(f):
                lines += (self._boot(f, x, _value_of(value, x)) for x in self._locations(f))
        for k, f in enumerate(self.machine.base.witnesses):
            parts = self._parts((f.name, None))
            lines += (f"\t{p.lvalue} = drv_boot[{k}] >> {p.first};\n" for p in parts)
        kept = [f"\t{_copy(f'saved_{o}', o)}" for o in self.objects()]
        saved = "".join(f"static __typeof__({o}) saved_{o}, other_{o};\n" for o in self.objects())
        return f"\n{saved}\nstatic void drv_set_up(void)\n{{\n{''.join((*lines, *kept))}}}\n"

    def _struct(self, name: str) -> str:
        return self.where.structs[name]

    def _boot(self, f: Field, x: Location, number: int) -> str:
        exists = "" if x[1] is None else f"if (VCPUS > {x[1]})\n\t\t"
        parts = self._parts(x)
        values = (number if len(parts) == 1 else _bits(number, p) for p in parts)
        named = zip(parts, values, strict=True)
        return "".join(f"\t{exists}{p.lvalue} = {initial_literal(v, f.type)};\n" for p, v in named)

    def _parts(self, x: Location) -> tuple[BitPart, ...]:
        """Return what a field is in C: several bit fields, or else one member or variable."""
        name, index = x
        known = self.where.bits.get(name)
        if known is None:
            return (BitPart(self.where.place(x), 0, 64),)
        return tuple(replace(p, lvalue=p.lvalue.format(index)) for p in known)

    def _starts_itself(self, f: Field) -> bool:
        """Tell whether a field is a file-level variable that starts as its initialiser says."""
        name = f.outermost
        if is_function_static(f):
            return True
        given = {n.id for b in self.machine.setup.boot for n in walk(b) if isinstance(n, c.Name)}
        return name in self.machine.env.declarations.globals and name not in given

    def _locations(self, f: Field) -> tuple[Location, ...]:
        return interpreter.field_locations(f, MOST_VCPUS)

    def objects(self) -> tuple[str, ...]:
        """Return the objects that may change: the VM, the vCPUs, variables that are in use."""
        names = {self._global(f) for f in self.machine.places} - {"", *_constants(self.machine)}
        return ("the_vm", "the_vcpus", *sorted(names))

    def _global(self, f: Field) -> str:
        name = f.outermost
        return name if name in self.machine.env.declarations.globals else ""

    def _show(self) -> str:
        shown = fields_shown(self.machine, self.where)
        lines = [line for f in shown for x in self._locations(f) for line in self._value(f, x)]
        others = [f"\t{_copy(f'other_{o}', o)}" for o in self.objects()]
        constant = _constants(self.machine)
        for f in self.machine.places:
            if is_function_static(f) or self._global(f) in constant:
                continue
            for x in self._locations(f):
                others += (f"\tother_{p.lvalue} = saved_{p.lvalue};\n" for p in self._parts(x))
        same = " || ".join(
            f"__builtin_memcmp(&other_{o}, &saved_{o}, sizeof({o}))" for o in self.objects()
        )
        end = f'\tdrv_printf(" %d\\n", {same});\n'
        return f"\nstatic void drv_show(void)\n{{\n{''.join((*lines, *others))}{end}}}\n"

    def _value(self, f: Field, x: Location) -> tuple[str, ...]:
        parts = self._parts(x)
        match f.type:
            case LockWord():
                shown = f"drv_show_lock(&{parts[0].lvalue}.state);\n"
            case VcpuRef():
                shown = f'drv_printf(" %d", drv_number({parts[0].lvalue}));\n'
            case _ if len(parts) == 1:
                shown = f'drv_printf(" %llx", (drv_word)(long long){parts[0].lvalue});\n'
            case _:
                bits = " | ".join(
                    f"((drv_word){p.lvalue} & {c_literal((1 << p.width) - 1)}) << {p.first}"
                    for p in parts
                )
                shown = f'drv_printf(" %llx", {bits});\n'
        if x[1] is None:
            return (f"\t{shown}",)
        return (f"\tif (VCPUS > {x[1]})\n\t\t{shown}",)

    # Operations --------------------------------------------------------------------------------

    def _operations(self) -> str:
        operations = list(enumerate(self.machine.base.operations))
        cases = "".join(f"\tcase {k}:\n\t\treturn drv_operation{k}();\n" for k, _ in operations)
        bodies = "".join(self._operation(k, o) for k, o in operations)
        return (
            f"{bodies}\nstatic long long drv_operate(void)\n{{\n\tswitch (drv_now->op) {{\n{cases}"
            "\tdefault:\n\t\treturn 0;\n\t}\n}\n"
        )

    def _operation(self, k: int, o: Operation) -> str:
        decl = next(d for d in self.machine.setup.operations if d.function == o.name)
        f = self.machine.env.declarations.functions[o.name]
        named = [p for p in f.parameters if p.declarator.name]
        before = ""
        given: list[str] = []
        free = others = 0
        for p, role in zip(named, decl.roles, strict=True):
            match role.value:
                case "kvm":
                    given.append(f"&{self._struct(p.type.name)}")
                case "vcpu":
                    given.append(f"&{self._struct(p.type.name).format('drv_now->vcpu')}")
                case "any vcpu":
                    others += 1
                    which = f"(drv_now->vcpu + {others}) % VCPUS"
                    given.append(f"&{self._struct(p.type.name).format(which)}")
                case "range":
                    before = self._range(p)
                    given.append("drv_now->whole ? (void *)0 : &drv_range")
                case "root" | "start" | "pages":
                    given.append(f"drv_now->{role.value}")
                case _ if self._opaque(p):
                    given.append("(void *)0")
                case _:
                    given.append(f"drv_now->free[{free % FREE_ARGUMENTS}]")
                    free += 1
        call = f"{o.name}({', '.join(given)})"
        number = gives_number(self.machine, o)
        end = f"\treturn {call};\n" if number else f"\t{call};\n\treturn 0;\n"
        return f"\nstatic long long drv_operation{k}(void)\n{{\n{before}{end}}}\n"

    def _range(self, p: c.Parameter) -> str:
        struct = p.type.name
        start, pages = list(self.machine.env.declarations.structs[struct].members)[:2]
        values = f".{start} = drv_now->start, .{pages} = drv_now->pages"
        return f"\tstruct {struct} drv_range = {{ {values} }};\n"

    def _opaque(self, p: c.Parameter) -> bool:
        t = self.machine.env.declarations.resolve(p.type, p.declarator)
        return not isinstance(t, Integer)


def _bits(number: int, part: BitPart) -> int:
    return number >> part.first & ((1 << part.width) - 1)


def _value_of(value: Expr, x: Location) -> int:
    return interpreter.boot_value_at(value, x, MOST_VCPUS)


def _constants(machine: Machine) -> frozenset[str]:
    """Return the variables at file level that are declared constant."""
    items = (i for u in machine.setup.units for i in u.items if isinstance(i, c.Declaration))
    constant = (i for i in items if "const" in i.qualifiers)
    return frozenset(d.declarator.name for i in constant for d in i.declarators)


def _copy(target: str, source: str) -> str:
    return f"__builtin_memcpy((void *)&{target}, (void *)&{source}, sizeof({source}));\n"
