"""The atoms that invariants are made of, for each control.

Taken from the clauses: every comparison that a step makes on the values at its start. Added to
these: equalities between pages, and the order of numbers among each other and with 0 and 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product

import z3

from flushproof.engines.unbounded.clauses import Control, System, variables

SMALL = (0, 1)


def atoms(system: System) -> dict[Control, tuple[z3.BoolRef, ...]]:
    """Return the atoms of each control, over its parameters."""
    mined = {control: list(_mined(system, control)) for control in system.parameters}
    _carry_back(system, mined)
    indices = {_local(v) for found in mined.values() for x in found for v in _compared(system, x)}
    return {
        control: tuple(_distinct([*_templates(system, control, indices), *mined[control]]))
        for control in system.parameters
    }


def _carry_back(system: System, mined: dict[Control, list[z3.BoolRef]]) -> None:
    """Add what is compared later of values that a step does not change."""
    known = {c: {p.get_id() for p in ps} for c, ps in system.parameters.items()}
    constants = {c.get_id() for c in _constants(system)}
    seen = {c: {x.get_id() for x in found} for c, found in mined.items()}
    changed = True
    while changed:
        changed = False
        for clause in system.clauses:
            if clause.head is None or not clause.body:
                continue
            start = clause.body[0].control
            parameters = system.parameters[clause.head.control]
            plain = {
                p.get_id(): (p, x)
                for p, x in zip(parameters, clause.head.arguments, strict=True)
                if x.get_id() in known[start]
            }
            for atom in list(mined[clause.head.control]):
                used = [v.get_id() for v in variables(atom) if v.get_id() not in constants]
                if all(v in plain for v in used):
                    earlier = z3.substitute(atom, *(plain[v] for v in used))
                    if earlier.get_id() not in seen[start]:
                        seen[start].add(earlier.get_id())
                        mined[start].append(earlier)
                        changed = True


def _compared(system: System, atom: z3.BoolRef) -> list[z3.ExprRef]:
    """Return the counters that are compared with the number of vCPUs or with a tracked vCPU."""
    found = variables(atom)
    if not any(v.get_id() in system.indices for v in found):
        return []
    return [v for v in found if v.get_id() in system.counters]


def _local(v: z3.ExprRef) -> str:
    """Return a local's name without the position."""
    thread, _, rest = str(v.decl().name()).partition(":")
    site, _, name = rest.partition(":")
    return f"{thread}:{site.rpartition('.')[0]}:{name}"


def _distinct(found: list[z3.BoolRef]) -> list[z3.BoolRef]:
    return list({x.get_id(): x for x in found}.values())


def _templates(system: System, control: Control, indices: set[str]) -> Iterator[z3.BoolRef]:
    by_sort: dict[str, list[z3.ExprRef]] = {}
    for p in system.parameters[control]:
        by_sort.setdefault(str(p.sort()), []).append(p)
    for sort, found in by_sort.items():
        if sort == "Bool":
            yield from found
        elif sort == "Int":
            counters = [x for x in found if x.get_id() in system.counters]
            yield from _numbers(counters)
            for a, b in product(
                (x for x in counters if _local(x) in indices),
                (x for x in found if x.get_id() in system.indices),
            ):
                yield a <= b
                yield a == b
        else:
            constants = [x for x in _constants(system) if str(x.sort()) == sort]
            for a, b in combinations([*found, *constants], 2):
                if not (a in constants and b in constants):
                    yield a == b


def _numbers(found: list[z3.ExprRef]) -> Iterator[z3.BoolRef]:
    for n in found:
        for c in SMALL:
            yield n <= c
            yield n == c
    for a, b in combinations(found, 2):
        yield a <= b
        yield a == b


def _constants(system: System) -> list[z3.ExprRef]:
    return [x for axiom in system.axioms for x in axiom.children()]


def _mined(system: System, control: Control) -> Iterator[z3.BoolRef]:
    known = {p.get_id() for p in system.parameters[control]}
    known |= {c.get_id() for c in _constants(system)}
    seen: set[int] = set()
    for clause in system.clauses:
        if any(a.control == control for a in clause.body[:1]):
            arguments = () if clause.head is None else clause.head.arguments
            work = [clause.constraint, *arguments]
            while work:
                term = work.pop()
                if term.get_id() in seen:
                    continue
                seen.add(term.get_id())
                if _is_comparison(term):
                    if all(v.get_id() in known for v in variables(term)):
                        yield from _sides(term)
                    continue
                work.extend(term.children())


def _sides(term: z3.BoolRef) -> Iterator[z3.BoolRef]:
    """Yield a comparison; of two numbers, all ways in which they can be ordered."""
    if not z3.is_int(term.arg(0)):
        yield term
        return
    a, b = term.children()
    if a.get_id() > b.get_id():
        a, b = b, a
    yield a <= b
    yield a == b


def _is_comparison(term: z3.ExprRef) -> bool:
    if not z3.is_bool(term) or z3.is_and(term) or z3.is_or(term) or z3.is_not(term):
        return False
    kinds = (z3.Z3_OP_ITE, z3.Z3_OP_TRUE, z3.Z3_OP_FALSE, z3.Z3_OP_UNINTERPRETED)
    if term.decl().kind() in kinds:
        return False
    return not any(z3.is_bool(x) for x in term.children())
