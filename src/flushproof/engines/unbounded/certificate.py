"""A proof as an SMT-LIB 2 script that any solver can go through, with the expected answers.

For each case: the invariant, for each place where threads can be one function of lemmas and one
that says that values fit their types; then a question for each clause. All are to be `unsat`: the
invariant holds at boot, every step keeps it, and no claim fails where it holds.

Lemma L22 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import z3

from flushproof.engines.unbounded.horn_clauses import (
    Atom,
    Clause,
    Control,
    terms_of,
    uninterpreted_constants,
)
from flushproof.engines.unbounded.invariant_text import invariant_lines
from flushproof.engines.unbounded.prove import ConfirmedInvariant, Proof

EXPECTED = "(set-info :status unsat)"


def proofs_script(proofs: Mapping[str, Proof]) -> str:
    """Return the questions of several proofs, each with a title, one case after the other."""
    lines = ["(set-logic ALL)"]
    for title, proof in proofs.items():
        for part in proof.parts:
            words = (f"; {x}" for x in (title, *invariant_lines(part)))
            lines += ["(push 1)", *words, *_part(part), "(pop 1)"]
    return "\n".join(lines) + "\n"


def _part(part: ConfirmedInvariant) -> Iterator[str]:
    system = part.system
    names = {c: str(k) for k, c in enumerate(system.parameters)}
    formulas = [*system.axioms, *system.known]
    formulas += (x for clause in system.clauses for x in terms_of(clause))
    formulas += (clause.shown for clause in system.clauses if clause.shown is not None)
    formulas += (x for lemmas in part.invariant.lemmas.values() for x in lemmas)
    found = sorted(uninterpreted_constants(*formulas), key=lambda x: str(x.decl().name()))
    sorts = {x.sort().sexpr() for x in found if x.sort().kind() == z3.Z3_UNINTERPRETED_SORT}
    yield from (f"(declare-sort {sort} 0)" for sort in sorted(sorts))
    yield from (x.decl().sexpr() for x in found)
    yield from (f"(assert {_flat(x)})" for x in (*system.axioms, *system.known))
    for control, name in names.items():
        yield from _defined(part, control, name)
    for clause in system.clauses:
        yield from _question(clause, names)


def _defined(part: ConfirmedInvariant, control: Control, name: str) -> Iterator[str]:
    """Yield the definitions of one predicate: what the types allow, and a line for each lemma."""
    parameters = " ".join(_parameter(p) for p in part.system.parameters[control])
    found = {"fit": part.system.ranges[control], "inv": part.invariant.lemmas.get(control, ())}
    for kind, lemmas in found.items():
        yield f"(define-fun {kind}{name} ({parameters}) Bool (and true"
        yield from (f"  {_flat(lemma)}" for lemma in lemmas)
        yield "))"


def _parameter(p: z3.ExprRef) -> str:
    return f"({p.sexpr()} {p.sort().sexpr()})"


def _question(clause: Clause, names: dict[Control, str]) -> Iterator[str]:
    yield "(push 1)"
    yield f"; {clause.why}"
    yield f"(assert {_flat(clause.constraint)})"
    if clause.shown is not None:
        yield f"(assert {_flat(clause.shown)})"
    yield from (f"(assert {_applied(a, names)})" for a in clause.body)
    if clause.head is not None:
        yield f"(assert (not {_applied(clause.head, names)}))"
    yield from (EXPECTED, "(check-sat)", "(pop 1)")


def _applied(a: Atom, names: dict[Control, str]) -> str:
    arguments, name = _joined(a.arguments), names[a.control]
    return f"(and (fit{name} {arguments}) (inv{name} {arguments}))"


def _joined(terms: Sequence[z3.ExprRef]) -> str:
    return " ".join(_flat(x) for x in terms)


def _flat(term: z3.ExprRef) -> str:
    return " ".join(str(term.sexpr()).split())
