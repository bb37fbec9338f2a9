"""The atoms that invariants are made of, for each control.

Taken from the clauses: every comparison that a step makes on the values at its start, and those
that later steps make on values that it hands on. Added to these: equalities between pages, and how
numbers that index vCPUs compare with the tracked vCPUs and their number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, product

import z3

from flushproof.engines.smt.term_constructors import children
from flushproof.engines.unbounded.horn_clauses import (
    Clause,
    Control,
    System,
    Variable,
    name_variable,
    terms_of,
    uninterpreted_constants,
)
from flushproof.engines.unbounded.linear_terms import list_choices, normalise_atom
from flushproof.engines.unbounded.number_atoms import list_number_atoms

SMALL = (0, 1)
"""Numbers that counters are compared with in any case."""

LARGE = 64
"""Numbers beyond this are limits of types, which matter to overflow only."""

Atoms = dict[Control, tuple[z3.BoolRef, ...]]


def collect_predicates(system: System) -> Atoms:
    """Return the atoms of each control, over its parameters."""
    mined = {control: _Bag() for control in system.parameters}
    _mine(system, mined)
    _carry_back(system, mined)
    bags = mined.values()
    indices = {name_variable(system, v) for bag in bags for x in bag for v in _compared(system, x)}
    constants = _used_constants(system)
    for control, bag in mined.items():
        for atom in _templates(system, control, indices, constants):
            bag.add(atom)
    for control, atom in list_number_atoms(system, indices):
        mined[control].add(atom)
    _add_offered(system, mined)
    return {control: tuple(bag) for control, bag in mined.items()}


class _Bag:
    """Atoms in the order in which they came, each once, whichever way round it is written."""

    def __init__(self) -> None:
        self._found: dict[object, z3.BoolRef] = {}

    def add(self, atom: z3.BoolRef) -> bool:
        """Add an atom unless it is there, or a constant; tell whether it was new."""
        key, normal = normalise_atom(atom)
        if key is None or key in self._found:
            return False
        self._found[key] = normal
        return True

    def __iter__(self) -> Iterator[z3.BoolRef]:
        return iter(list(self._found.values()))


def _constants(system: System) -> list[z3.ExprRef]:
    return [x for axiom in system.axioms for x in children(axiom)]


def _used_constants(system: System) -> list[z3.ExprRef]:
    """Return the constants that any step compares with or assigns."""
    constants = {x.get_id(): x for x in _constants(system)}
    found = uninterpreted_constants(*(x for clause in system.clauses for x in terms_of(clause)))
    return [x for x in found if x.get_id() in constants]


# Mining ------------------------------------------------------------------------------------------


def _mine(system: System, mined: dict[Control, _Bag]) -> None:
    steps: dict[Control, list[Clause]] = {}
    for clause in system.clauses:
        if clause.body:
            steps.setdefault(clause.body[0].control, []).append(clause)
    constants = {x.get_id() for x in _constants(system)}
    for control, clauses in steps.items():
        known = {x.get_id() for x in system.parameters[control]} | constants
        for term in _comparisons([x for c in clauses for x in _mentioned(c)]):
            for atom in _orders(term, known):
                mined[control].add(atom)


def _add_offered(system: System, mined: dict[Control, _Bag]) -> None:
    """Add what comparisons that a user offers may come down to, last: order matters to speed."""
    offered = list(_comparisons(system.offered))
    constants = {x.get_id() for x in _constants(system)}
    for control, bag in mined.items():
        known = {x.get_id() for x in system.parameters[control]} | constants
        for atom in (x for term in offered for x in _orders(term, known)):
            bag.add(atom)


def _mentioned(clause: Clause) -> tuple[z3.ExprRef, ...]:
    return (clause.constraint, *(() if clause.head is None else clause.head.arguments))


def _comparisons(terms: Sequence[z3.ExprRef]) -> Iterator[z3.BoolRef]:
    seen: set[int] = set()
    work = list(reversed(terms))
    while work:
        term = work.pop()
        if term.get_id() not in seen:
            seen.add(term.get_id())
            parts = children(term)
            work.extend(parts)
            if len(parts) > 1 and z3.is_bool(term) and not any(map(z3.is_bool, parts)):
                yield term


def _orders(term: z3.BoolRef, known: set[int]) -> Iterator[z3.BoolRef]:
    """Yield what a comparison of known values may come down to; of two numbers, all orders."""
    if term.num_args() > 2:
        return
    sides = (list_choices(x) for x in children(term))
    about = (
        [x for x in s if all(v.get_id() in known for v in uninterpreted_constants(x))]
        for s in sides
    )
    for a, b in product(*about):
        if not z3.is_int(a):
            yield a == b if z3.is_eq(term) or z3.is_distinct(term) else term.decl()(a, b)
        elif not _large(a) and not _large(b):
            # Code that asks i < n goes on with i <= n after i++: an invariant needs whichever it
            # is.
            yield a <= b
            yield b <= a
            yield a == b


def _large(term: z3.ExprRef) -> bool:
    return bool(z3.is_int_value(term)) and abs(int(term.as_long())) > LARGE


def _carry_back(system: System, mined: dict[Control, _Bag]) -> None:
    """Add what is compared later of values that a step does not change."""
    constants = {c.get_id() for c in _constants(system)}
    into: dict[Control, list[tuple[Control, dict[int, tuple[z3.ExprRef, z3.ExprRef]]]]] = {}
    for clause in system.clauses:
        if clause.head and clause.body:
            into.setdefault(clause.head.control, []).append(_handed_on(system, clause))
    work = [(control, atom) for control, bag in mined.items() for atom in bag]
    while work:
        control, atom = work.pop()
        used = [v.get_id() for v in uninterpreted_constants(atom) if v.get_id() not in constants]
        for start, plain in into.get(control, ()):
            if used and all(v in plain for v in used):
                pairs = [plain[v] for v in used if not plain[v][0].eq(plain[v][1])]
                earlier = z3.substitute(atom, *pairs) if pairs else atom
                if mined[start].add(earlier):
                    work.append((start, earlier))


def _handed_on(
    system: System, clause: Clause
) -> tuple[Control, dict[int, tuple[z3.ExprRef, z3.ExprRef]]]:
    """Return where a clause starts, and the parameters that only get another name."""
    assert clause.head is not None
    start = clause.body[0].control
    known = {p.get_id() for p in system.parameters[start]}
    pairs = zip(system.parameters[clause.head.control], clause.head.arguments, strict=True)
    return start, {p.get_id(): (p, x) for p, x in pairs if x.get_id() in known}


# Templates ---------------------------------------------------------------------------------------


def _compared(system: System, atom: z3.BoolRef) -> list[z3.ExprRef]:
    """Return the counters that are compared with the number of vCPUs or with a tracked vCPU."""
    found = uninterpreted_constants(atom)
    if not any(v.get_id() in system.indices for v in found):
        return []
    return [v for v in found if v.get_id() in system.counters]


def _templates(
    system: System, control: Control, indices: set[Variable | int], constants: list[z3.ExprRef]
) -> Iterator[z3.BoolRef]:
    parameters = system.parameters[control]
    yield from (p for p in parameters if z3.is_bool(p))
    yield from _page_templates(parameters, constants)
    numbers = [p for p in parameters if z3.is_int(p)]
    counters = [n for n in numbers if n.get_id() in system.counters]
    walking = [n for n in counters if name_variable(system, n) in indices]
    for n, c in product(counters, SMALL):
        yield n <= c
        yield n == c
    # What walks over vCPUs is compared with the tracked one: "those before it are done" is the
    # invariant of most loops, and nowhere in the code.
    for n, x in product(walking, (x for x in numbers if x.get_id() in system.indices)):
        yield n <= x
        yield n == x
    for n, x in product(counters, walking):
        yield n <= x


def _page_templates(
    parameters: Sequence[z3.ExprRef], constants: list[z3.ExprRef]
) -> Iterator[z3.BoolRef]:
    pages = [p for p in parameters if p.sort().kind() == z3.Z3_UNINTERPRETED_SORT]
    for a, b in (*combinations(pages, 2), *product(pages, constants)):
        yield a == b
