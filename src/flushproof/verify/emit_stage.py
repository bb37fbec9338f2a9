"""What one stage hands to the next, as text: the tree, the IR, or the solver's question."""

from __future__ import annotations

from collections.abc import Callable

from flushproof.frontend.c import printer
from flushproof.frontend.setup import Setup
from flushproof.ir.printer import program_text
from flushproof.machine.build import Machine
from flushproof.verify.options import Options


def print_stage(stage: str, setup: Setup, machine: Callable[[], Machine], options: Options) -> str:
    """Return what a stage hands on; the machine is built where that is needed."""
    match stage:
        case "ast":
            return print_tree(setup)
        case "ir":
            return print_ir(machine(), options)
        case _:
            return print_question(machine(), options)


def print_tree(setup: Setup) -> str:
    """Return the functions of the file itself, as they were parsed."""
    defined = [
        f for f in setup.declarations.functions.values() if f.span.file == setup.variant.name
    ]
    return "\n".join(printer.print_item(f) for f in defined)


def print_ir(machine: Machine, options: Options) -> str:
    """Return the program, with the claims that are asked for."""
    return program_text(machine.with_claims(options.claims) if options.claims else machine.base)


def print_question(machine: Machine, options: Options) -> str:
    """Return the question about each claim as SMT-LIB 2; it can be met if the claim can fail."""
    from flushproof.engines.bounded.engine import Bounded, Settings, print_smt2
    from flushproof.engines.bounded.threads import Counts

    claims = options.claims or ("coverage",)
    bounds = machine.setup.bounds
    counts = Counts(bounds.vcpus[1], bounds.loads, bounds.flushes, bounds.flushers)
    parts = []
    for name in claims:
        engine = Bounded(machine.with_claim(name), counts, Settings(rounds=options.rounds))
        p = engine.problem(counts.vcpus)
        parts.append(f"; {name}: sat if the claim can fail\n{print_smt2(p, name)}")
    return "\n".join(parts)
