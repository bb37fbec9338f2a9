"""Claims watch the code and change nothing of it.

Guards Lemma L1 of docs/soundness.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.frontend.spec.resolve import from_spec
from flushproof.ir.code import (
    Acquire,
    Available,
    Enter,
    Exchange,
    Fence,
    Hypercall,
    Instr,
    Mode,
    Read,
    Release,
    Return,
    TryAcquire,
    Write,
)
from flushproof.ir.program import Operation, Role
from flushproof.machine.build import build_machine
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Span
from support.machines import machine_of, program_of
from support.places import NAMES, SPECS

Seen = tuple[str, str, Span | None]


def _seen(instr: Instr) -> Seen | None:
    """Return what other threads can notice of an instruction, and where it stands."""
    match instr:
        case Read(field=f, mode=mode) | Write(field=f, mode=mode):
            return None if mode is Mode.GHOST else (type(instr).__name__, f.name, instr.span)
        case Acquire() | TryAcquire() | Available() | Release() | Exchange():
            return type(instr).__name__, instr.field.name, instr.span
        case Enter() | Return() | Hypercall() | Fence():
            return type(instr).__name__, "", instr.span
        case _:
            return None


def _all_seen(operation: Operation) -> list[Seen]:
    return [x for i in operation.code if not i.from_claim and (x := _seen(i)) is not None]


@pytest.mark.sample(every=6)
@pytest.mark.parametrize("name", NAMES)
def test_the_code_is_the_same_with_every_claim(name: str) -> None:
    """A claim that takes a lock, or writes what the code reads, would be about other code.

    Guards Lemma L1 of docs/soundness.md.
    """
    machine = machine_of(name)
    plain = {o.name: o for o in program_of(name, None).operations}
    for claim in machine.setup.claims:
        if not machine.statable(claim.name):
            continue
        for o in program_of(name, claim.name).operations:
            woven = [i for i in o.code if i.from_claim]
            if o.role in (Role.LOAD, Role.FLUSH):
                assert _all_seen(o) == _all_seen(plain[o.name])
                assert not any(map(_seen, woven))
            assert all(i.field.ghost for i in woven if isinstance(i, Write))


@pytest.mark.parametrize(
    "handler",
    [
        "on enter load(v, r) { to_kvm_vmx(kvm)->hv_tlb_pgd = r; }",
        "on enter load(v, r) { to_vmx(v)->hv_tlb_pgd = r; }",
        "on enter load(v, r) { runs_on[v] = r; }",
        "on enter load(v, r) { spin_lock(&to_kvm_vmx(kvm)->ept_pointer_lock); }",
        "on enter load(v, r) { WRITE_ONCE(to_kvm_vmx(kvm)->hv_tlb_pgd, r); }",
        "on enter load(v, r) { hyperv_flush_guest_mapping(r); }",
        "on enter load(v, r) { cmpxchg(&to_kvm_vmx(kvm)->hv_tlb_pgd, r, r); }",
        "on enter load(v, r) { xchg(&to_kvm_vmx(kvm)->hv_tlb_pgd, r); }",
        "on enter load(v, r) { smp_mb(); }",
        "on enter load(v, r) { spin_unlock(&to_kvm_vmx(kvm)->ept_pointer_lock); }",
        "any vcpu w; on enter load(v, r) { w = v; }",
        "any root w; on enter load(v, r) { w = r; }",
    ],
)
def test_a_claim_that_acts_is_refused(handler: str, tmp_path: Path) -> None:
    """What a handler did to the state would be done in the proof, and never in the kernel.

    Guards Lemma L1 of docs/soundness.md.
    """
    (tmp_path / "counter_first.c").write_text((SPECS / "counter_first.c").read_text())
    text = (SPECS / "counter_first.spec").read_text()
    claim = f'claim it "it" {{ {handler} on return load(v, r) {{ assert(r != 0); }} '
    claim += 'headline "it"; because "it"; }\n'
    before, after = text.split("\texpect {")
    (tmp_path / "it.spec").write_text(before + claim + "}\n")
    assert after
    with pytest.raises(InputError):
        build_machine(from_spec(str(tmp_path / "it.spec"))).with_claims(("it",))
