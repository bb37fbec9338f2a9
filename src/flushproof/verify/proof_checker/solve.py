"""Asks z3 the questions of a script, as text, in a context of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from flushproof.verify.proof_checker.bit_vectors import BitVectorScript
from flushproof.verify.proof_checker.terms import NotUnderstood, ProofObligation, Script

STEPS = 50_000_000
"""z3's own steps for one question, so that nothing hangs."""

OPTIONS = {"rlimit": STEPS}

Ask = Callable[[Script, Sequence[ProofObligation]], tuple[str, ...]]
"""Asks the questions of a script; what comes back is `sat`, `unsat`, or no answer."""

ANSWERS = frozenset({"sat", "unsat", "unknown"})


def script_text(script: Script, questions: Iterable[ProofObligation]) -> str:
    """Return a script that asks questions one after the other; each is to be `unsat`.

    It is about integers, or about bit-vectors where bits are taken out of numbers.
    """
    lines, asked = script.lines, list(questions)
    formulas = [q.formula for q in asked]
    if any(map(_takes_bits, (*lines, *formulas))):
        with suppress(NotUnderstood, RecursionError):
            lines, formulas = _as_bit_vectors(script, formulas)
    text = ["(set-logic ALL)", *lines]
    for q, formula in zip(asked, formulas, strict=True):
        text += ["(push 1)", f"; {q.rule}: {' '.join(q.text.split())}", f"(assert {formula})"]
        text += ["(check-sat)", "(pop 1)"]
    return "\n".join(text) + "\n"


def _takes_bits(text: str) -> bool:
    """Tell whether bits are taken out of the middle of numbers, or of two numbers at once."""
    return "(div " in text or "int2bv" in text


def _as_bit_vectors(script: Script, formulas: list[str]) -> tuple[list[str], list[str]]:
    translated = BitVectorScript(script.ranges())
    lines = [translated.translate_line(x) for x in script.lines]
    return lines, [translated.translate_term(x) for x in formulas]


def ask_z3(script: Script, questions: Sequence[ProofObligation]) -> tuple[str, ...]:
    """Return z3's answers, in order; what it says besides is an answer that confirms nothing."""
    import z3

    # Options are the whole process's, even those that a script sets: the search asks under others.
    before = [(name, z3.get_param(name)) for name in OPTIONS]
    for name, value in OPTIONS.items():
        z3.set_param(name, value)
    context = z3.Context()
    try:
        out = z3.Z3_eval_smtlib2_string(context.ref(), script_text(script, questions))
    except z3.Z3Exception as error:
        return (str(error),) * len(questions)
    finally:
        for name, value in before:
            z3.set_param(name, value)
    answers = tuple(line.strip() for line in out.splitlines() if line.strip())
    if len(answers) != len(questions) or not set(answers) <= ANSWERS:
        return (" ".join(out.split())[:200],) * max(1, len(questions))
    return answers


def z3_version() -> str:
    """Return the name and version of the solver."""
    import z3

    return f"z3 {z3.get_version_string()}"
