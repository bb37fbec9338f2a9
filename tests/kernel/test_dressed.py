"""Variants dressed as kernel files, with a write put in: in whatever form, it is not overlooked.

Each sample is a variant of the corpus, a place in one of its functions, a member of the VM, a value
and a form of writing it. The same write as a plain assignment, in the variant as it stands, says
what is true. `FLUSHPROOF_DRESSED` is how many samples there are.
"""

from __future__ import annotations

import os
import random
import re
from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record
from flushproof.verify.options import Options, Sanity
from support.places import SPECS

SAMPLES = int(os.environ.get("FLUSHPROOF_DRESSED", "6"))
LONG = 4
"""A seed whose variant is decided in forty seconds, the others in three."""
CLAIMS = ("coverage", "no_bogus", "failure_kept")
VALUES = ("0", "INVALID_PAGE")
HEAD = "#include <linux/kvm_host.h>\n"
FUNCTION = re.compile(
    r"^[a-z][^;{}=#]*?\b(\w+)\([^;{}]*\)\n\{\n(.*?)^\}\n", re.MULTILINE | re.DOTALL
)
FORMS = {
    "assignment": ("{vm}->{f} = {v};", ""),
    "alias": ("{{ {t} *q_ = &{vm}->{f}; *q_ = {v}; }}", ""),
    "alias of the struct": ("{{ struct kvm_vmx *w_ = {vm}; w_->{f} = {v}; }}", ""),
    "handed on": ("put_(&{vm}->{f});", "static void put_({t} *p) {{ *p = {v}; }}"),
    "handed on by a variable": (
        "{{ {t} *q_ = &{vm}->{f}; put_(q_); }}",
        "static void put_({t} *p) {{ *p = {v}; }}",
    ),
    "helper": ("put_({vm});", "static void put_(struct kvm_vmx *w) {{ w->{f} = {v}; }}"),
    "two helpers": (
        "outer_({vm});",
        (
            "static void put_(struct kvm_vmx *w) {{ w->{f} = {v}; }}\n"
            "static void outer_(struct kvm_vmx *w) {{ put_(w); }}"
        ),
    ),
    "table": (
        "the_ops_.put({vm});",
        (
            "static void put_(struct kvm_vmx *w) {{ w->{f} = {v}; }}\n"
            "struct ops_ {{ void (*put)(struct kvm_vmx *w); }};\n"
            "static struct ops_ the_ops_ = {{ .put = put_ }};"
        ),
    ),
    "static call": (
        "static_call(put_call_)({vm});",
        (
            "static void put_(struct kvm_vmx *w) {{ w->{f} = {v}; }}\n"
            "DEFINE_STATIC_CALL(put_call_, put_);"
        ),
    ),
    "pointer to a function": (
        "{{ void (*p_)(struct kvm_vmx *) = put_; p_({vm}); }}",
        "static void put_(struct kvm_vmx *w) {{ w->{f} = {v}; }}",
    ),
    "macro": ("PUT_({vm});", "#define PUT_(w) do {{ (w)->{f} = {v}; }} while (0)"),
    "marked": ("WRITE_ONCE({vm}->{f}, {v});", ""),
    "comma": ("(void)0, {vm}->{f} = {v};", ""),
    "statement expression": ("({{ {vm}->{f} = {v}; }});", ""),
    "condition": ("if (({vm}->{f} = {v}) == 5) ;", ""),
    "place from a helper": (
        "*at_({vm}) = {v};",
        "static {t} *at_(struct kvm_vmx *w) {{ return &w->{f}; }}",
    ),
    "local copy of the value": ("{{ {t} x_ = {v}; {vm}->{f} = x_; }}", ""),
    "unknown function": ("mystery_({vm});", ""),
    "unknown function of the address": ("mystery_(&{vm}->{f});", ""),
    "memset": ("memset(&{vm}->{f}, 0, sizeof({vm}->{f}));", ""),
    "assembly": ('asm volatile("" : "=m" ({vm}->{f}));', ""),
    "assembly by an address": ('asm volatile("" : : "r" (&{vm}->{f}) : "memory");', ""),
    "nothing": ('pr_info("%p", {vm});', ""),
}


class Sample(Record, frozen=True):
    """A variant with a write put in plainly, and dressed as a kernel file with it in a form."""

    name: str
    form: str
    plain: str
    dressed: str


def _variants() -> list[Path]:
    texts = {p: p.read_text() for p in sorted(SPECS.glob("*.c"))}
    return [p for p, t in texts.items() if "hv_remote_flush_tlb_with_range(" in t and "hpa_t" in t]


def _members(text: str, struct: str) -> list[str]:
    found = re.search(rf"struct {struct} \{{\n(.*?)^\}};", text, re.MULTILINE | re.DOTALL)
    assert found is not None
    return re.findall(r"\b(?:hpa_t|u64)\s+(\w+);", found[1])


def _places(text: str) -> list[tuple[int, str]]:
    """Return where a statement can stand, and how the VM is reached there."""
    found = []
    for f in FUNCTION.finditer(text):
        owner = {"hv_remote_flush_tlb_with_range": "kvm", "vmx_load_mmu_pgd": "vcpu->kvm"}
        vm = owner.get(f[1])
        start = f.start(2) + f[2].find("\n\n") + 1
        for line in re.finditer(r"^\t.*;\n", f[2], re.MULTILINE):
            at = f.start(2) + line.end()
            if vm is not None and at > start and "return" not in line[0] and "goto" not in line[0]:
                found.append((at, f"to_kvm_vmx({vm})"))
    return found


def _sample(seed: int) -> Sample:
    rng = random.Random(seed)
    path = rng.choice([p for p in _variants() if _members(p.read_text(), "kvm_vmx")])
    text = path.read_text()
    at, vm = rng.choice(_places(text))
    member, value = rng.choice(_members(text, "kvm_vmx")), rng.choice(VALUES)
    form = rng.choice(sorted(FORMS))
    code, before = (x.format(vm=vm, f=member, v=value, t="hpa_t") for x in FORMS[form])
    plain = "" if form == "nothing" else f"\t{vm}->{member} = {value};\n"
    if form == "memset":
        plain = f"\t{vm}->{member} = 0;\n"
    first = min(f.start() for f in FUNCTION.finditer(text))
    sets = "".join(f"\tvmx->{m} = INVALID_PAGE;\n" for m in _members(text, "vcpu_vmx"))
    creates = (
        "static int vmx_create_vcpu(struct kvm_vcpu *vcpu)\n{\n"
        f"\tstruct vcpu_vmx *vmx = to_vmx(vcpu);\n\n{sets}\treturn 0;\n}}\n"
    )
    dressed = HEAD + text[:first] + before + "\n" + text[first:at] + f"\t{code}\n" + text[at:]
    name = f"{path.stem}, {form}, {member} = {value}, line {text[:at].count(chr(10))}"
    return Sample(name, form, text[:at] + plain + text[at:], dressed + creates)


def _results(text: str, to: Path) -> dict[str, ClaimResult] | None:
    path = to / "k.c"
    path.write_text(text)
    options = Options(vcpus=(1, 2), claims=CLAIMS, engine="bounded", sanity=Sanity.OFF, jobs=1)
    try:
        report = pipeline.prove(str(path), None, options, lambda _: None)
    except InputError as error:
        assert all(d.span is not None for d in error.diagnostics)  # noqa: PT017 - what is refused
        return None
    return {r.claim: r for r in report.results}


@pytest.mark.sample(every=6)
@pytest.mark.parametrize("seed", [k for k in range(SAMPLES) if k != LONG])
def test_dressed(seed: int, tmp_path: Path) -> None:
    """A kernel file is proved only where the variant is; what it loses has a name.

    Guards Lemma L28 of docs/soundness.md.
    """
    sample = _sample(seed)
    plain, dressed = (_results(t, tmp_path) for t in (sample.plain, sample.dressed))
    if dressed is None:
        assert sample.form != "nothing", sample.name
        return
    assert plain is not None, sample.name
    for claim, result in dressed.items():
        true = plain[claim].verdict
        if result.verdict.holds:
            assert true is not Verdict.REFUTED, f"{sample.name}: {claim} is proved"
        elif true.holds:
            named = any("may" in a for a in result.assumptions)
            assert named, f"{sample.name}: {claim} is lost"
