"""What a verdict covers, in words. What holds within bounds is never called proved."""

from __future__ import annotations

from flushproof.results.costs import Costs
from flushproof.results.verdict import CallWord, ClaimResult, EarlyVerdict, VerdictScope
from flushproof.support.memory_model import MemoryModel
from flushproof.support.wording import count_noun

ROOTS = {"uninterpreted": "any roots", "64-bit vectors": "roots as 64-bit vectors"}


def vcpus_phrase(vcpus: tuple[int, int] | None) -> str:
    """Return "every number of vCPUs", "1 vCPU" or "1..4 vCPUs"."""
    if vcpus is None:
        return "every number of vCPUs"
    low, high = vcpus
    return count_noun(high, "vCPU") if low == high else f"{low}..{high} vCPUs"


def held_phrase(vcpus: tuple[int, int] | None) -> str:
    """Return "proved for every number of vCPUs" or "bounded: holds for 1..4 vCPUs"."""
    if vcpus is None:
        return f"proved for {vcpus_phrase(None)}"
    return f"bounded: holds for {vcpus_phrase(vcpus)}"


def scope_phrase(scope: VerdictScope) -> str:
    """Return the scope as one line of words, without the assumptions."""
    parts = (
        scope.boot,
        vcpus_phrase(scope.vcpus),
        _on_vcpus(scope.on_vcpus, scope.loads),
        _elsewhere(scope.elsewhere, scope.flushers, scope.flushes),
        scope.interleavings,
        _memory(scope),
        ROOTS.get(scope.roots, scope.roots),
    )
    return ", ".join(p for p in parts if p)


def early_phrase(early: EarlyVerdict) -> str:
    """Return what is known by now of a claim that is still open, and what is looked for."""
    parts = (scope_phrase(early.scope), _assuming(early.assumptions))
    goal = "a proof for every number of vCPUs" if early.proving else "more vCPUs"
    return f"{early.claim}: holds so far {', '.join(p for p in parts if p)}; looking for {goal}"


def _assuming(assumptions: tuple[str, ...]) -> str:
    return f"assuming {', '.join(assumptions)}" if assumptions else ""


def scope_lines(result: ClaimResult) -> tuple[tuple[str, str], ...]:
    """Return the labelled lines that say what the verdict covers and assumes."""
    scope = ("scope", scope_phrase(result.scope))
    if not result.assumptions:
        return (scope,)
    return (scope, ("assuming", ", ".join(result.assumptions)))


def _memory(scope: VerdictScope) -> str:
    """Name the memory model where it is not sequential consistency."""
    if scope.memory is MemoryModel.SC:
        return ""
    under = f"under {scope.memory}"
    if scope.buffer is None:
        return under
    entries = "1 entry" if scope.buffer == 1 else f"{scope.buffer} entries"
    return f"{under} with store buffers of up to {entries}"


def _on_vcpus(word: CallWord, each: int | None) -> str:
    if not word:
        return ""
    of_each = "each" if word == "load" else "on each CPU"
    if each is None:
        return "any number of loads" if word == "load" else f"any number of calls {of_each}"
    return f"up to {count_noun(each, word)} {of_each}"


def _elsewhere(word: CallWord, threads: int | None, each: int | None) -> str:
    match word:
        case "":
            return ""
        case "call":
            return _calls(threads, each)
        case _:
            return _flushes(threads, each)


def _calls(threads: int | None, each: int | None) -> str:
    some = "any number of calls" if each is None else f"up to {count_noun(each, 'call')}"
    if (threads, each) == (1, None):
        return f"{some} by other threads, one at a time"
    if threads is None:
        return f"{some} by each of any number of other threads"
    return f"{some} by {'one other thread' if threads == 1 else f'each of {threads} other threads'}"


def _flushes(flushers: int | None, flushes: int | None) -> str:
    match flushers, flushes:
        case None, None:
            return "any number of flushes by any number of flushers"
        case None, int(each):
            return f"any number of flushers with up to {_times(each)} each"
        case 1, None:
            return "any number of flushes, one at a time"
        case 1, int(each):
            return f"up to {_times(each)}"
        case int(many), None:
            return f"{count_noun(many, 'flusher')} with any number of flushes"
        case int(many), int(each):
            return f"{count_noun(many, 'flusher')} with up to {_times(each)} each"
    raise AssertionError(flushers, flushes)


def _times(flushes: int) -> str:
    return "1 flush" if flushes == 1 else f"{flushes} flushes"


def describe_coverage(costs: Costs) -> str:
    """Return what costs cover, in words."""
    return (
        f"{scope_phrase(costs.scope)}; hypercalls succeed or fail at any time; calls during which "
        "no load is under way"
    )
