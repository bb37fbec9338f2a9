"""Which locks a thread may hold, and surely holds, before each position."""

from __future__ import annotations

from flushproof.ir.analysis.held_locks import held_before, maybe_held
from flushproof.ir.code import Branch, TryAcquire
from flushproof.ir.program import Role
from support.hand_written_proofs import own_machine


def test_between_an_attempt_and_its_branch() -> None:
    """There the lock may be held, and is not surely held: only the branch tells."""
    body = "if (spin_trylock(&k->l)) spin_unlock(&k->l);"
    machine = own_machine(body, "", "on return flush() { assert(true); }")
    (flush,) = machine.with_claims(()).of(Role.FLUSH)
    (at,) = (k for k, i in enumerate(flush.code) if isinstance(i, TryAcquire))
    attempt, branch = flush.code[at : at + 2]
    assert isinstance(attempt, TryAcquire)
    assert isinstance(branch, Branch)
    maybe, surely = maybe_held(flush.code), held_before(flush.code)
    assert not maybe[at]
    assert maybe[at + 1] == {attempt.field.name}
    assert not surely[at + 1]
    assert {h.lock for h in surely[branch.then]} == maybe[branch.then] == maybe[at + 1]
    assert not maybe[branch.otherwise]
