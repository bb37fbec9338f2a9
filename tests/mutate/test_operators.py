"""The edits: each operator on a small snippet, and what keeps the list of mutants in shape."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.features.mutation.mutants import Mutant, make_mutants
from flushproof.features.mutation.origin import SetupOrigin
from flushproof.frontend.spec.resolve import from_text
from flushproof.pipeline import Passes
from flushproof.support.source import Source
from flushproof.verify.options import Options
from support.places import SPECS, TREES

FRAME = """\
enum status {{ CHECK, MATCH, MISMATCH }};
struct kvm_vmx {{ struct kvm kvm; u64 cache; enum status status; spinlock_t lock; bool known; }};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; u64 root; }};
int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{{
	struct kvm_vmx *vm = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int i, ret, n;

{body}
}}
void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{{
}}
"""

TABLE = [
    ("if (n) n = 2;", "drop-condition", "if (1) n = 2;"),
    ("if (n) n = 2;", "drop-condition", "if (0) n = 2;"),
    ("if (n) n = 2;", "negate", "if (!(n)) n = 2;"),
    ("if (!n) n = 2;", "negate", "if (n) n = 2;"),
    ("n = n ? 1 : 2;", "negate", "n = !(n) ? 1 : 2;"),
    ("while (n < 3) n++;", "drop-condition", "while (0) n++;"),
    ("for (n = 0; n < 3; n++) ret = n;", "negate", "for (n = 0; !(n < 3); n++) ret = n;"),
    ("if (n && ret) n = 2;", "drop-operand", "if (ret) n = 2;"),
    ("if (n && ret) n = 2;", "drop-operand", "if (n) n = 2;"),
    ("if (n && ret) n = 2;", "operator", "if (n || ret) n = 2;"),
    ("if ((n || ret) && i) n = 2;", "drop-operand", "if (i) n = 2;"),
    ("if (i && (n || ret)) n = 2;", "operator", "if (i || (n || ret)) n = 2;"),
    ("if (n == 1) n = 2;", "compare", "if (n != 1) n = 2;"),
    ("if ((n) != (1)) n = 2;", "compare", "if ((n) == (1)) n = 2;"),
    ("if (n > 1) n = 2;", "compare", "if (n >= 1) n = 2;"),
    ("if (n > 1) n = 2;", "number", "if (n > 2) n = 2;"),
    ("if (n > 1) n = 2;", "number", "if (n > 0) n = 2;"),
    ("n = i + 1;", "operator", "n = i - 1;"),
    ("if (++n == 1) ret = 1;", "drop-step", "if (n == 1) ret = 1;"),
    ("n++;", "operator", "n--;"),
    ("if (n < VALID_PAGE(vm->cache)) n = 1;", "drop-valid", "if (n < 1) n = 1;"),
    ("if (VALID_PAGE(vm->cache)) n = 1;", "drop-valid", "if (vm->cache) n = 1;"),
    ("ret = hyperv_flush_guest_mapping(vm->cache & PAGE_MASK);", "drop-mask",
     "ret = hyperv_flush_guest_mapping(vm->cache);"),
    ("ret |= hyperv_flush_guest_mapping(0);", "assign-by", "ret = hyperv_flush_guest_mapping(0);"),
    ("ret = hyperv_flush_guest_mapping(0);", "assign-by", "ret |= hyperv_flush_guest_mapping(0);"),
    ("vm->cache = INVALID_PAGE;", "root", "vm->cache = 0;"),
    ("vm->cache = to_vmx(vcpu)->root;", "root", "vm->cache = INVALID_PAGE;"),
    ("vm->known = true;", "constant", "vm->known = false;"),
    ("vm->status = MATCH;", "constant", "vm->status = MISMATCH;"),
    ("if (vm->status == MATCH) n = 1;", "constant", "if (vm->status == CHECK) n = 1;"),
    ("vm->cache = 7;", "drop-assignment", ";"),
    ("spin_lock(&vm->lock);", "drop-lock", ";"),
    ("spin_unlock(&vm->lock);", "drop-unlock", ";"),
    ("hyperv_flush_guest_mapping(0);", "drop-call", ";"),
    ("while (n) { break; }", "drop-break", "while (n) { ; }"),
    ("while (n) { continue; }", "drop-continue", "while (n) { ; }"),
    ("while (n) { continue; }", "break-continue", "while (n) { break; }"),
    ("goto out; out: n = 1;", "drop-goto", "; out: n = 1;"),
    ("if (n) return n;", "drop-return", "if (n) ;"),
    ("return n;", "return", "return 0;"),
    ("return n;", "return", "return 1;"),
    ("{ int k = 1; }", "drop-start", "{ int k; }"),
    ("kvm_for_each_vcpu(i, vcpu, kvm) { n = i; }", "first-only",
     "kvm_for_each_vcpu(i, vcpu, kvm) { n = i; break; }"),
    ("kvm_for_each_vcpu(i, vcpu, kvm) { n = i; }", "skip-first",
     "kvm_for_each_vcpu(i, vcpu, kvm) { if (!i) continue; n = i; }"),
    ("n = 1; i = 2;", "swap", "i = 2; n = 1;"),
    ("n = 1;", "range", "if (range) range->pages = 1; n = 1;"),
]  # fmt: skip


def _of(body: str) -> tuple[Mutant, ...]:
    source = Source("small.c", FRAME.format(body=body))
    return make_mutants(from_text(source, None))


@pytest.mark.parametrize(("body", "operator", "edited"), TABLE)
def test_operator(body: str, operator: str, edited: str) -> None:
    """An operator that finds nothing to edit, or edits badly, lets claims off too lightly."""
    found = [m.source.text for m in _of(body) if m.edit.operator == operator]
    assert FRAME.format(body=edited) in found


def test_each_text_once() -> None:
    """Two edits with the same outcome would count twice, and the original is no mutant."""
    body = "if (n > 1 && VALID_PAGE(vm->cache)) n = 0; else n = 1; return n;"
    texts = [m.source.text for m in _of(body)]
    assert len(set(texts)) == len(texts)
    assert FRAME.format(body=body) not in texts


def test_only_the_variants_own_functions() -> None:
    """The prelude and functions that nobody calls are not what is being tested."""
    functions = {m.function for m in _of("return 0;")}
    assert functions == {"hv_remote_flush_tlb_with_range"}


def test_words_and_lines() -> None:
    """What stands in the report must be what was done."""
    (mutant,) = [m for m in _of("n = 1;\n\tn = 2;") if m.edit.words == "drop `n = 2;`"]
    assert mutant.line == 11
    assert mutant.edit.diff(mutant.original) == (("n = 2;",), (";",))


def test_macros_of_the_file() -> None:
    """Where a macro makes the syntax, what it stands for is not edited as if it were text."""
    body = (
        "#define WALK(v) kvm_for_each_vcpu(i, v, kvm) if (n < 3)\n\tWALK(vcpu) n = 1;\n\treturn n;"
    )
    found = _of(body)
    assert {"drop-assignment", "return"} <= {m.edit.operator for m in found}
    assert all(
        "#define WALK(v) kvm_for_each_vcpu(i, v, kvm) if (n < 3)" in m.source.text for m in found
    )


def test_kernel_file() -> None:
    """Only lines that are left of a kernel file are edited, in whatever file they stand."""
    start = Passes(str(TREES / "v5_14/arch/x86/kvm/kvm_onhyperv.c"), None, Options()).origin
    found = make_mutants(start.setup)
    assert len(found) > 30
    assert start.again(found[0].source).variant.name == start.setup.variant.name


@pytest.mark.parametrize("path", ["v5_14/arch/x86/kvm/svm/svm.c", "v6_4/arch/x86/kvm/vmx/vmx.c"])
def test_file_beside_a_kernel_file(path: str) -> None:
    """The flush of newer kernels stands in another file than the load; both are edited."""
    start = Passes(str(TREES / path), None, Options()).origin
    found = make_mutants(start.setup)
    assert {Path(m.edit.file).name for m in found} == {"kvm_onhyperv.c", Path(path).name}
    for name in sorted({m.edit.file for m in found}):
        texts = (m for m in found if m.edit.file == name and m.edit.operator == "drop-condition")
        assert any(_changes(start, m) for m in texts)


def test_an_edit_leaves_nothing_to_the_next() -> None:
    """What is read once for all edits would be what one of them put there."""
    path = str(TREES / "v6_4/arch/x86/kvm/vmx/vmx.c")
    start, fresh = (Passes(path, None, Options()).origin for _ in range(2))
    found = [m for m in make_mutants(start.setup) if m.edit.operator == "drop-condition"]
    beside = next(m for m in found if Path(m.edit.file).name == "kvm_onhyperv.c")
    own = next(m for m in found if Path(m.edit.file).name == "vmx.c")
    assert start.again(beside.source).declarations != start.setup.declarations
    assert start.again(own.source).declarations == fresh.again(own.source).declarations


def _changes(start: SetupOrigin, mutant: Mutant) -> bool:
    """Tell whether anything of an edit is left in the set-up."""
    functions = (s.declarations.functions for s in (start.setup, start.again(mutant.source)))
    before, after = (f[mutant.function] for f in functions)
    return before != after


def test_how_many() -> None:
    """Fewer mutants would say less about the claims."""
    assert (
        len(make_mutants(Passes(str(SPECS / "counter_first.spec"), None, Options()).origin.setup))
        >= 80
    )
