"""Hand-made reports, sources and diagnostics that several tests share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from flushproof.results.trace import Blame, HypercallNote, LockMark, Trace, TraceStep
from flushproof.results.verdict import ClaimResult, Expected, Report, Verdict, VerdictScope
from flushproof.support.diagnostics import Diagnostic, Note
from flushproof.support.source import Source, Span

FILE = "enum_status.c"
CODE = """\
int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
\tstruct kvm_vcpu *vcpu;
\tint ret = 0, i;

\tspin_lock(&to_kvm_vmx(kvm)->ept_pointer_lock);
\tif (to_kvm_vmx(kvm)->ept_pointers_match == EPT_POINTERS_CHECK)
\t\tcheck_ept_pointer_match(kvm);
\tret = __hv_remote_flush_tlb_with_range(kvm, kvm_get_vcpu(kvm, 0), range);
\tspin_unlock(&to_kvm_vmx(kvm)->ept_pointer_lock);
\treturn ret;
}
"""
SOURCES = {FILE: Source(FILE, CODE)}
SHA = SOURCES[FILE].sha256
FUNCTION = "hv_remote_flush_tlb_with_range"

SCOPE = VerdictScope((1, 4), 2, 2, 1, "operations atomic, any order", "uninterpreted")
EVERY = VerdictScope(None, None, None, None, "operations atomic, any order", "uninterpreted")


def span(line: int, column: int, length: int = 1, file: str = FILE) -> Span:
    """Return a span within one line."""
    return Span(file, line, column, line, column + length)


def step(
    index: int,
    thread: str,
    text: str,
    lock: LockMark = "none",
    changed: tuple[tuple[str, str], ...] = (),
    call: HypercallNote | None = None,
) -> TraceStep:
    """Return a step whose operation follows from its thread."""
    operation = "load" if thread.startswith("vcpu") else "flush"
    loads = text[5:-1] if text.startswith("load(") else ""
    event = "load" if loads else "hypercall" if call else "step"
    return TraceStep(index, thread, operation, event, text, span(9, 2), lock, changed, call, loads)


COVERAGE_TRACE = Trace(
    vcpus=2,
    columns=("vcpu0", "vcpu1", "flusher0"),
    steps=(
        step(1, "vcpu1", "load(A)", changed=(("ept_pointer[1]", "A"),)),
        step(2, "flusher0", "lock", "acquire"),
        step(3, "flusher0", "18: status MATCH", "held", (("match", "MATCH"),)),
        step(4, "flusher0", "41: flush INVALID ok", "held", (), HypercallNote("INVALID", ok=True)),
        step(5, "flusher0", "unlock, return 0", "release"),
    ),
    standing=(("vcpu1", "still on A"),),
    headline="vCPU1 runs on root A, the call returns 0, and A was in none of its flushes",
    because="vCPU1 runs on A since step 1; this call flushed {INVALID}; it returned 0",
    blame=(
        Blame(span(9, 8, 32), "flushes vCPU0's pointer only"),
        Blame(span(8, 3, 23), "reports a match although vCPU0 has no root"),
    ),
    smallest="2 vCPUs, 1 root, 2 operations; none with fewer",
)

SECTION_TRACE = Trace(
    vcpus=3,
    columns=("vcpu0", "vcpu1", "vcpu2", "flusher0", "flusher1"),
    steps=(
        step(1, "vcpu0", "load(A)", "section", (("ept_pointer[0]", "A"), ("cache", "INVALID"))),
        step(2, "vcpu1", "load(A)", "section", (("ept_pointer[1]", "A"),)),
        step(3, "flusher1", "flush A ok, flush A failed, return -5", "section"),
    ),
    standing=(),
    headline="one call flushes root A twice",
    because="this call flushed {A, A}",
    blame=(Blame(span(9, 8, 32), "the same root again"),),
    smallest="3 vCPUs, 1 root, 3 operations; none with fewer",
)

MANY_TRACE = Trace(
    vcpus=9,
    columns=(*(f"vcpu{v}" for v in range(9)), "flusher0"),
    steps=(
        *(step(v + 1, f"vcpu{v}", "load(A)", "section") for v in range(9)),
        step(10, "flusher0", "lock", "acquire"),
        step(11, "vcpu8", "load(B)", "none", (("ept_pointer[8]", "B"),)),
        step(12, "flusher0", "flush A ok, unlock, return 0", "release"),
    ),
    standing=(("vcpu0", "still on A"), ("vcpu8", "still on B")),
    headline="vCPU8 runs on root B, the call returns 0, and B was in none of its flushes",
    because="vCPU8 runs on B since step 11",
    blame=(Blame(span(9, 8, 32), ""),),
    smallest="9 vCPUs",
)


@dataclass(frozen=True, slots=True)
class Made:
    """What differs between hand-made results."""

    scope: VerdictScope = SCOPE
    assumptions: tuple[str, ...] = ("load_flushes",)
    expected: Expected | None = None
    reason: str = ""


def result(
    verdict: Verdict, claim: str, made: Made = Made(), trace: Trace | None = None
) -> ClaimResult:
    """Return a result; a refuted one is refuted at the vCPUs of its trace, 2 without one.

    One that is proved is so for every number of vCPUs.
    """
    smallest = None
    if verdict is Verdict.PROVED and made.scope is SCOPE:
        made = replace(made, scope=EVERY)
    if verdict is Verdict.REFUTED:
        smallest = 2 if trace is None else trace.vcpus
    return ClaimResult(
        claim=claim,
        text=f"about {claim}",
        verdict=verdict,
        scope=made.scope,
        assumptions=made.assumptions,
        seconds=0.1234567,
        smallest_vcpus=smallest,
        trace=trace,
        reason=made.reason,
        expected=made.expected,
    )


def report(*results: ClaimResult, path: str = FILE, spec: str = "") -> Report:
    """Return a report about the sample source."""
    return Report(path, SHA, spec, FUNCTION, results)


BEYOND = "not proved for every number of vCPUs: no invariant was found"
MIXED = report(
    result(Verdict.REFUTED, "coverage", trace=COVERAGE_TRACE),
    result(Verdict.BOUNDED, "failure_kept", Made(reason=BEYOND)),
    result(Verdict.BOUNDED, "range_kept", Made(reason=BEYOND)),
    result(Verdict.PROVED, "no_uninit", Made(EVERY, ())),
    result(Verdict.UNKNOWN, "no_race", Made(reason="the limit of 1000000 solver steps was hit")),
    result(Verdict.VACUOUS, "converges", Made(reason="no execution makes two flushes")),
    result(Verdict.NOT_ASKED, "cache_sound", Made(reason="no cache named")),
)

PROVED = Expected(Verdict.PROVED)
EVERY_NUMBER = Expected(Verdict.PROVED, every_number=True)
REFUTED = Expected(Verdict.REFUTED, 2)

CHECKED = (
    report(
        result(Verdict.REFUTED, "coverage", Made(expected=REFUTED), COVERAGE_TRACE),
        result(Verdict.BOUNDED, "failure_kept", Made(expected=PROVED)),
        result(Verdict.PROVED, "no_uninit", Made(EVERY, (), PROVED)),
        spec="specs/enum_status.spec",
    ),
    report(
        result(Verdict.REFUTED, "no_repeat", Made(expected=PROVED), SECTION_TRACE),
        result(Verdict.PROVED, "coverage", Made(expected=REFUTED)),
        result(Verdict.UNKNOWN, "no_race", Made(expected=PROVED, reason="out of steps")),
        result(Verdict.VACUOUS, "converges", Made(expected=PROVED)),
        result(Verdict.BOUNDED, "range_kept", Made(expected=EVERY_NUMBER, reason=BEYOND)),
        path="mismatch_flag.c",
        spec="specs/mismatch_flag.spec",
    ),
    report(path="asks_nothing.spec", spec="specs/asks_nothing.spec"),
)


class NoSuchName(Diagnostic, frozen=True, kw_only=True):
    """A diagnostic as the stages that read input make them."""

    TITLE: ClassVar[str] = "no variable `{name}`"
    LABEL: ClassVar[str] = "not declared in this function"
    HELP: ClassVar[str] = "did you mean `{near}`?"

    name: str
    near: str


DIAGNOSTIC = NoSuchName(
    span=span(9, 2, 3),
    name="ret",
    near="i",
    notes=(Note("`i` is declared here", span(4, 15)), Note("locals are declared first")),
)
