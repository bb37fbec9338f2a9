"""Two texts of one program: equal for any number of vCPUs, whatever locks and threads do."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from flushproof import pipeline
from flushproof.features.mutation.mutants import make_mutants
from flushproof.features.nfc.decide import Wanted, compare
from flushproof.features.nfc.same_code import SAME_CODE, is_same_code
from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.resolve import from_texts
from flushproof.ir.program import Program
from flushproof.machine.build import Machine, build_machine
from flushproof.pipeline import Passes
from flushproof.results.comparison import Compared, Relation, Since
from flushproof.results.verdict import ClaimResult
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Source
from flushproof.verify.options import Comparing, Options
from support.places import SPECS

NAMES = {
    "hv_tlb_pgd": "last_root",
    "ept_pointer_lock": "root_lock",
    "nr_roots": "count",
    "ret": "status",
    "level": "depth",
}
CHANGES = {
    "a constant": ("int ret = 0, nr_roots, i;", "int ret = 1, nr_roots, i;"),
    "a condition": ("nr_roots > 1)\n\t\t\tkvm", "nr_roots > 2)\n\t\t\tkvm"),
    "a local": ("if (++nr_roots == 1)", "if (++ret == 1)"),
    "a field": (
        "to_vmx(vcpu)->hv_tlb_pgd = root;\n\tkvm_vmx->hv_tlb_pgd = INVALID_PAGE;",
        "kvm_vmx->hv_tlb_pgd = root;\n\tto_vmx(vcpu)->hv_tlb_pgd = INVALID_PAGE;",
    ),
    "an order": (
        "to_vmx(vcpu)->hv_tlb_pgd = root;\n\tkvm_vmx->hv_tlb_pgd = INVALID_PAGE;",
        "kvm_vmx->hv_tlb_pgd = INVALID_PAGE;\n\tto_vmx(vcpu)->hv_tlb_pgd = root;",
    ),
    "a type": ("hpa_t hv_tlb_pgd;\n\tspinlock_t", "u32 hv_tlb_pgd;\n\tspinlock_t"),
    "a lock": ("\tspin_unlock(&kvm_vmx->ept_pointer_lock);\n}", "}"),
    "what is loaded": ("->hv_tlb_pgd = root;\n\tkvm", "->hv_tlb_pgd = level;\n\tkvm"),
}


def _text(name: str) -> tuple[str, str]:
    code, spec = ((SPECS / f"{name}.{x}").read_text() for x in ("c", "spec"))
    return code, spec


def _program(name: str, text: str, spec: str) -> Program:
    return build_machine(
        from_texts(Source(f"{name}.c", text), Source(f"{name}.spec", spec))
    ).with_claims(())


@pytest.mark.parametrize("name", ["counter_first", "load_unlocked", "lock_order"])
def test_other_names_and_places(name: str) -> None:
    """Names, comments and blank lines are nothing to the machine."""
    text, spec = _text(name)
    other, other_spec = text, spec
    for old, new in NAMES.items():
        other = re.sub(rf"\b{old}\b", new, other)
        other_spec = re.sub(rf"\b{old}\b", new, other_spec)
    other = "/* Another text. */\n\n" + other.replace(";\n", ";\n\n")
    other = other.replace("struct kvm_vcpu v;", "struct kvm_vcpu vcpu;").replace(
        "->v->", "->vcpu->"
    )
    assert other != text
    assert is_same_code(_program(name, text, spec), _program(name, other, other_spec))


@pytest.mark.parametrize("change", CHANGES)
def test_another_program(change: str) -> None:
    """Whatever the machine can notice is a difference."""
    text, spec = _text("counter_first")
    old, new = CHANGES[change]
    assert text.replace("\n\n\thpa_t", "\n\thpa_t").count(old) >= 1
    other = text.replace("\n\n\thpa_t", "\n\thpa_t").replace(old, new, 1)
    assert not is_same_code(_program("v", text, spec), _program("v", other, spec))


def test_another_boot_state() -> None:
    """Code alone does not say with what a field starts."""
    text, spec = _text("counter_first")
    other = spec.replace("hv_tlb_pgd = INVALID_PAGE;", "hv_tlb_pgd = 0;")
    assert other != spec
    assert not is_same_code(_program("v", text, spec), _program("v", text, other))


def test_the_verdict_says_what_it_rests_on() -> None:
    """Code with races and locks for readers, which nothing else compares for all."""
    for name in ("load_unlocked", "rwlock_walk"):
        path = str(SPECS / f"{name}.c")
        found = pipeline.nfc(path, path, None, Options(), Comparing())
        assert (found.relation, found.scope.vcpus) == (Relation.EQUAL, None)
        assert (found.invariant, found.scope.interleavings) == ((SAME_CODE,), "every interleaving")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["counter_first", "enum_cached"])
def test_no_edit_that_matters_is_overlooked(name: str) -> None:
    """Where an edit leaves the program alike, the engine finds no difference either."""
    start = Passes(str(SPECS / f"{name}.spec"), None, Options()).origin
    old = build_machine(start.setup)
    wanted = Wanted(Compared.SEQUENCE, Since.BOOT, Bounds((1, 2), 1, 1, 1))
    seen: Counter[bool] = Counter()
    for mutant in make_mutants(start.setup):
        try:
            new = build_machine(start.again(mutant.source))
        except InputError:
            continue
        same = is_same_code(old.with_claims(()), new.with_claims(()))
        seen[same] += 1
        if same:
            assert compare(old, new, wanted, no_cover).relation is not Relation.DIFFERS
    assert seen[False] > 40


def no_cover(_: Machine) -> ClaimResult:
    """Nothing here issues fewer hypercalls."""
    raise AssertionError
