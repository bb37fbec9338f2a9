"""Small code that one flusher cannot break and two or three can, and code that none breaks.

The enumerator says which is which; it knows nothing of how a proof is found or checked.
"""

from __future__ import annotations

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.outcome import NoProof
from flushproof.machine.build import Machine
from flushproof.verify.unbounded_proofs import ForAll
from support.hand_written_proofs import own_machine

ZERO = "on return flush(ret) { assert(ret == 0); }"
STORE_TWICE = "WRITE_ONCE(k->x, 1); WRITE_ONCE(k->x, 0);"

BROKEN: dict[str, tuple[str, str]] = {
    "seen between two stores": (f"n = READ_ONCE(k->x); {STORE_TWICE} return n;", ZERO),
    "taken back by another": (
        "WRITE_ONCE(k->x, 1); n = READ_ONCE(k->x); WRITE_ONCE(k->x, 0); return !n;",
        ZERO,
    ),
    "a lock that is only tried": ("if (!spin_trylock(&k->l)) return 7; spin_unlock(&k->l);", ZERO),
    "read outside the lock": (
        f"n = READ_ONCE(k->x); spin_lock(&k->l); {STORE_TWICE} spin_unlock(&k->l); return n;",
        ZERO,
    ),
    "two readers": (
        f"read_lock(&k->rw); n = READ_ONCE(k->x); {STORE_TWICE} read_unlock(&k->rw); return n;",
        ZERO,
    ),
    "a test and a set": (
        (
            "if (READ_ONCE(k->x)) return 0; WRITE_ONCE(k->x, 1); n = READ_ONCE(k->y);"
            " WRITE_ONCE(k->y, 1); WRITE_ONCE(k->y, 0); WRITE_ONCE(k->x, 0); return n;"
        ),
        ZERO,
    ),
    "the lock dropped between": (
        (
            "spin_lock(&k->l); k->x = 1; spin_unlock(&k->l); spin_lock(&k->l); n = k->x;"
            " k->x = 0; spin_unlock(&k->l); return !n;"
        ),
        ZERO,
    ),
    "a call within another": (
        "return 0;",
        "int d; on enter flush() { d = d + 1; assert(d < 2); } on return flush() { d = d - 1; }",
    ),
    "three calls at once": (
        "return 0;",
        "int d; on enter flush() { d = d + 1; assert(d < 3); } on return flush() { d = d - 1; }",
    ),
    "who came last": (
        "return 0;",
        "int last; on enter flush() { assert(last == 0 || last == SELF); last = SELF; }",
    ),
    "a thread that is chosen": (
        "return 0;",
        (
            "any thread t; bool seen;"
            " on enter flush() { if (SELF == t) seen = true; else assert(!seen); }"
        ),
    ),
    "another's hypercall": (
        "hyperv_flush_guest_mapping(1);",
        (
            "bool once; on enter flush() { once = false; }"
            " on hypercall(r) { assert(!once); once = true; }"
        ),
    ),
}

HOLDING: dict[str, tuple[str, str]] = {
    "under the lock": (
        "spin_lock(&k->l); n = k->x; k->x = 1; k->x = 0; spin_unlock(&k->l); return n;",
        ZERO,
    ),
    "a reader and a writer": (
        (
            "read_lock(&k->rw); n = READ_ONCE(k->x); read_unlock(&k->rw); write_lock(&k->rw);"
            f" {STORE_TWICE} write_unlock(&k->rw); return n;"
        ),
        ZERO,
    ),
    "its own hypercall": (
        "hyperv_flush_guest_mapping(1);",
        "any call c; bool once; on hypercall(r) in c { assert(!once); once = true; }",
    ),
    "the chosen call is one": (
        "return 0;",
        "any call c; bool b; on enter c() { assert(!b); b = true; } on return c() { assert(b); }",
    ),
}


def _machine(flush: str, claim: str) -> Machine:
    return own_machine(flush, "n = 1;", claim)


def _is_proved(machine: Machine) -> bool:
    prover = ForAll(machine, evidence=False, many=True)
    program = machine.with_claims(("it",), named_callers=True)
    return not isinstance(prover.prove(program, prover.plan(program)), NoProof)


def _is_broken(machine: Machine, flushers: int) -> bool:
    sizes = Sizes(1, 1, 1, flushers)
    return enumerate_claim(machine.with_claims(("it",)), sizes, "it", 60_000).found is not None


@pytest.mark.parametrize("name", BROKEN)
def test_no_proof_of_what_flushers_break_together(name: str) -> None:
    """One alone does not break it, so that only a wrong argument could prove it."""
    machine = _machine(*BROKEN[name])
    assert not _is_broken(machine, 1)
    assert _is_broken(machine, 2) or _is_broken(machine, 3)
    assert not _is_proved(machine)


@pytest.mark.parametrize("name", HOLDING)
def test_what_they_cannot_break_is_proved(name: str) -> None:
    """Else the test above would show nothing."""
    machine = _machine(*HOLDING[name])
    assert not _is_broken(machine, 2)
    assert _is_proved(machine)
