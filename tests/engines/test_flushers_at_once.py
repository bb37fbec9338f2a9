"""Small code that one flusher cannot break and two or three can, and code that none breaks.

The enumerator says which is which; it knows nothing of how a proof is found or checked.
"""

from __future__ import annotations

import pytest

from flushproof.engines.bounded.engine import Bounded
from flushproof.engines.bounded.flusher_symmetry import are_flushers_alike
from flushproof.engines.bounded.threads import Counts
from flushproof.engines.counterexample import Counterexample
from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.outcome import NoProof
from flushproof.frontend.setup import Bounds
from flushproof.machine.build import Machine
from flushproof.verify.question import replay_to_end
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
    "three with two flags": (
        (
            "if (cmpxchg(&k->x, 0, 1) == 0) { WRITE_ONCE(k->x, 0); }"
            " else if (cmpxchg(&k->y, 0, 1) == 0) { WRITE_ONCE(k->y, 0); } else return 1;"
        ),
        ZERO,
    ),
    "one takes another's flag": (
        (
            "i = xchg(&k->x, 1); n = i && !READ_ONCE(k->y); i = 0; WRITE_ONCE(k->y, 1);"
            " WRITE_ONCE(k->y, 0); WRITE_ONCE(k->x, 0); return n;"
        ),
        ZERO,
    ),
    "a reader, then a writer": (
        (
            "read_lock(&k->rw); i = k->x; read_unlock(&k->rw); write_lock(&k->rw); n = k->x != i;"
            " k->x = 1; write_unlock(&k->rw); write_lock(&k->rw); k->x = 0;"
            " write_unlock(&k->rw); return n;"
        ),
        ZERO,
    ),
    "another frees the lock": (
        (
            "if (READ_ONCE(k->y)) { spin_unlock(&k->l); return 0; } spin_lock(&k->l);"
            " WRITE_ONCE(k->y, 1); WRITE_ONCE(k->y, 0); spin_unlock(&k->l);"
        ),
        "on unlock(l) { assert(holds(l)); }",
    ),
    "the record of who reads": (
        "read_lock(&k->rw); n = k->x; read_unlock(&k->rw); return 0;",
        "int o; on lock(l) { o = SELF; } on unlock(l) { assert(o == SELF); }",
    ),
    "two chosen calls": (
        "return 0;",
        (
            "any call c; any call d; bool b; on enter d() { assert(!b); }"
            " on enter c() { b = true; } on return c() { b = false; }"
        ),
    ),
    "a failure that another forgets": (
        "k->x = 0; if (hyperv_flush_guest_mapping(4096)) k->x = 1; return k->x;",
        (
            "any call c; bool bad; on hypercall(r, ok) in c { if (!ok) bad = true; }"
            " on return c(ret) { assert(!bad || ret != 0); }"
        ),
    ),
    "two chosen threads": (
        "return 0;",
        (
            "any thread s; any thread t; bool b; on enter flush() { if (SELF == s) b = true; }"
            " on return flush() { if (SELF == t && s != t) assert(!b); if (SELF == s) b = false; }"
        ),
    ),
    "the cell of a vCPU": (
        (
            "kvm_for_each_vcpu(i, vcpu, kvm) { if (READ_ONCE(to_vmx(vcpu)->a)) n = 1;"
            " WRITE_ONCE(to_vmx(vcpu)->a, 1); WRITE_ONCE(to_vmx(vcpu)->a, 0); } return n;"
        ),
        "any vcpu w; on return flush(ret) { assert(ret == 0 || to_vmx(w)->a == 2); }",
    ),
    "a wait for oneself": (
        (
            "spin_lock(&k->l); if (READ_ONCE(k->x)) spin_lock(&k->l); spin_unlock(&k->l);"
            " WRITE_ONCE(k->x, 1); WRITE_ONCE(k->x, 0);"
        ),
        "on deadlock() { assert(false); }",
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
    return not isinstance(prover.prove(program), NoProof)


def _is_broken(machine: Machine, flushers: int) -> bool:
    sizes = Sizes(1, 1, 1, flushers)
    return enumerate_claim(machine.with_claims(("it",)), sizes, "it", 60_000).found is not None


@pytest.mark.sample(every=4)
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


@pytest.mark.sample(every=10)
@pytest.mark.parametrize("name", [*BROKEN, *HOLDING])
def test_the_bounded_engine_finds_it(name: str) -> None:
    """Were a flusher left out that makes the chosen call, what it breaks would not be found.

    Guards Lemma L33 of docs/soundness.md.
    """
    machine = _machine(*(BROKEN | HOLDING)[name])
    for flushers in (1, 2, 3):
        program = machine.within(Bounds((1, 1), 1, 1, flushers)).with_claim("it")
        found = Bounded(program, Counts(1, 1, 1, flushers)).claim("it", 1)
        assert isinstance(found, Counterexample) is _is_broken(machine, flushers)
        if isinstance(found, Counterexample):
            replay_to_end(program, found)


NUMBERS = {
    "any call c; bool b; on return c() { assert(!b); }": True,
    "any call c; any call d; bool b; on enter d() { assert(!b); } on enter c() { b = true; }": True,
    "any call c; int last; on enter c() { last = SELF; } on return c() { assert(last == 3); }": (
        False
    ),
    "any call c; any thread t; on return c() { assert(SELF != t); }": False,
}


@pytest.mark.parametrize("claim", NUMBERS)
def test_who_asks_for_its_number_is_told_apart(claim: str) -> None:
    """Flushers that code tells apart may not be exchanged.

    Guards Lemma L33 of docs/soundness.md.
    """
    program = _machine("return 0;", claim).with_claims(("it",), named_callers=True)
    assert are_flushers_alike(program) is NUMBERS[claim]


THREADS = {
    "any thread t; on enter flush() { assert(t != 77); }": False,
    "any thread t; on enter flush() { assert(t != 0); }": False,
    "any thread t; on enter flush() { assert(t != 4); }": False,
    "any thread t; on enter flush() { assert(t != 3); }": True,
    "any thread t; on enter flush() { assert(t != 1 || SELF == t); }": True,
    "any access a; on enter flush() { assert(a_thread != 77); } on access() in a { ; }": False,
}


@pytest.mark.parametrize("claim", THREADS)
def test_a_chosen_thread_exists(claim: str) -> None:
    """A claim would be refuted by a thread that there is not."""
    machine = _machine("WRITE_ONCE(k->x, 1); return 0;", claim)
    program = machine.within(Bounds((1, 1), 1, 1, 2)).with_claim("it")
    found = Bounded(program, Counts(1, 1, 1, 2)).claim("it", 1)
    assert isinstance(found, Counterexample) is THREADS[claim]
    assert _is_broken(machine, 2) is THREADS[claim]
    if isinstance(found, Counterexample):
        replay_to_end(program, found)
