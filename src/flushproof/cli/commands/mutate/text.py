"""Mutants and what became of them, as plain text.

In: a `Mutation`. Out: a line per mutant, the survivors in full, a line per claim, and a tally.
"""

from __future__ import annotations

from collections.abc import Iterable

from flushproof.report.plain import DEFAULT_WIDTH, escape_unprintable, hang_text
from flushproof.report.scope import vcpus_phrase
from flushproof.results.mutation import Fate, How, Kill, KillCount, MutantResult, Mutation
from flushproof.results.verdict import Verdict
from flushproof.support.wording import count_noun

SHOWN = 2
"""So many lines of a longer edit are shown before and after."""
_OPEN = (Fate.SURVIVES, Fate.UNDECIDED)


def render(found: Mutation, width: int = DEFAULT_WIDTH) -> str:
    """Return the whole report as text that ends in a newline."""
    blocks = [
        [escape_unprintable(f"{found.path}: {found.function}()")],
        _table(found.results, width),
        *(_unnoticed(r, width) for r in found.results if r.fate in _OPEN),
        _effects(found),
        _original(found, width),
        hang_text("", f"{found.path}: {tally_fates(found)}", width, 2),
    ]
    return "\n\n".join("\n".join(b) for b in blocks if b) + "\n"


def describe_result(r: MutantResult) -> str:
    """Return one mutant in a line: where, what, and which claims noticed it."""
    return f"{r.number}: {r.file}:{r.line}: {r.words}: {_fate(r)}"


def tally_fates(found: Mutation) -> str:
    """Return such as "96 mutants: 80 killed, 12 equal, 4 survive"."""
    words = {
        Fate.KILLED: "killed",
        Fate.EQUAL: "equal",
        Fate.BOUNDED: "equal within the bounds",
        Fate.SURVIVES: "survive",
        Fate.UNDECIDED: "undecided",
        Fate.INVALID: "not accepted",
    }
    parts = [f"{found.count(f)} {w}" for f, w in words.items() if found.count(f)]
    total = count_noun(len(found.results), "mutant")
    return f"{total}: {', '.join(parts)}" if parts else total


def _table(results: Iterable[MutantResult], width: int) -> list[str]:
    lines: list[str] = []
    function = ""
    for r in results:
        if r.function != function:
            function = r.function
            lines += (
                ["", escape_unprintable(f"  {function}()")]
                if lines
                else [escape_unprintable(f"  {function}()")]
            )
        lines += _row(r, width)
    return lines


def _row(r: MutantResult, width: int) -> list[str]:
    lead = f"{r.number:>5}  {r.line:>5}  "
    fate = _fate(r)
    room = width - len(lead) - len(fate) - 2
    words = escape_unprintable(r.words)
    if len(words) <= room:
        return [f"{lead}{words:<{room}}  {fate}"]
    return [*hang_text(lead, r.words, width), f"{fate:>{width}}"]


def _fate(r: MutantResult) -> str:
    match r.fate:
        case Fate.KILLED:
            return ", ".join(_kill(k) for k in r.kills)
        case Fate.EQUAL | Fate.UNDECIDED | Fate.INVALID:
            return str(r.fate)
        case Fate.BOUNDED:
            return "equal within the bounds"
        case Fate.SURVIVES:
            return "SURVIVES"


def _kill(k: Kill) -> str:
    earlier = ", earlier" if k.how is How.SMALLER else ""
    return f"{k.claim} at {count_noun(k.vcpus, 'vCPU')}{earlier}"


def _unnoticed(r: MutantResult, width: int) -> list[str]:
    """Return a mutant that no claim noticed, as a diff, and what is known of it."""
    head = f"{r.fate}  {r.file}:{r.line}: {r.words}"
    lines = hang_text("", head, width, 4)
    lines += [*_side("-", r.before), *_side("+", r.after)]
    lines += hang_text("  because  ", r.reason, width)
    if r.mends:
        lines += hang_text("  mends    ", ", ".join(r.mends), width)
    return lines


def _side(sign: str, lines: tuple[str, ...]) -> list[str]:
    kept = lines if len(lines) <= SHOWN + 1 else (*lines[:SHOWN], "...")
    return [escape_unprintable(f"    {sign} {line}") for line in kept]


def _effects(found: Mutation) -> list[str]:
    if not found.effects:
        return []
    wide = max(len(e.claim) for e in found.effects)
    head = f"{'claim':<{wide}}  kills" + ("" if found.every else "   (each mutant counts once)")
    lines = [head]
    lines += [
        escape_unprintable(f"{e.claim:<{wide}}  {e.kills:>5}{_idle(e)}") for e in found.effects
    ]
    return lines


def _idle(effect: KillCount) -> str:
    return "   idle" if effect.idle else ""


def _original(found: Mutation, width: int) -> list[str]:
    """Return what the claims say of the original where that is no proof."""
    lines: list[str] = []
    for b in found.baseline:
        if b.verdict is Verdict.REFUTED and b.vcpus is not None and b.calls is not None:
            size = f"{count_noun(b.vcpus, 'vCPU')}, {count_noun(b.calls, 'operation')}"
            text = f"{b.claim} fails in the original at {size}: only less is a kill"
            lines += hang_text("  ", text, width)
        elif not b.verdict.holds:
            lines += hang_text("  ", f"{b.claim} is open in the original: {b.reason}", width)
    flushes = "1 flush" if found.flushes == 1 else f"{found.flushes} flushes"
    loads = count_noun(found.loads, "load")
    scope = f"{vcpus_phrase(found.vcpus)}, up to {loads} each, up to {flushes}"
    return [*lines, *hang_text("  scope    ", scope, width)]
