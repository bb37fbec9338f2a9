"""The source places that a counterexample rests on, the telling one first."""

from __future__ import annotations

from flushproof.engines.interpreter.interpreter import Happening
from flushproof.ir.code import Exchange, FieldScope, Hypercall, Mode, Read, Return, Write
from flushproof.results.trace import Blame
from flushproof.support.source import Span
from flushproof.verify.trace.message import Facts, last_touches
from flushproof.verify.trace.trace_lines import instruction_place, is_visible
from flushproof.verify.trace.value_names import place_name, thread_name


def blamed_places(facts: Facts) -> tuple[Blame, ...]:
    """Return at least one place.

    These are hypercalls of the call at fault, accesses of a race, what is waited for, the event.
    """
    races = _races(facts)
    if races:
        return races
    waits = _waits(facts)
    if waits:
        return waits
    hypercalls = [h for h in facts.of_call() if isinstance(h.instr, Hypercall)]
    main = [_hypercall(hypercalls[-1], facts)] if hypercalls else []
    notes = [_hypercall(h, facts) for h in _related(hypercalls)]
    event = _event(facts)
    cause = _cause(facts)
    skips = [Blame(x.decision.instr.span, x.text) for x in facts.skipped if x.decision.instr.span]
    found = [*skips[-1:], *event, *main, *notes, *cause]
    unique = {(b.span, b.text): b for b in found}
    return tuple(unique.values())


def _races(facts: Facts) -> tuple[Blame, ...]:
    name = next((f"{w.name}_place" for w in facts.claim.witnesses if w.kind == "access"), None)
    if name is None:
        return ()
    return tuple(
        Blame(h.instr.span, f"{thread_name(facts.view.threads[h.thread])} touches it here")
        for h in last_touches(name, facts)
        if h.instr.span is not None
    )


def _waits(facts: Facts) -> tuple[Blame, ...]:
    names = facts.view.threads
    return tuple(
        Blame(
            w.instr.span,
            f"{thread_name(names[w.thread])} waits for `{place_name(w.instr.field, w.location)}`",
        )
        for w in facts.state.waits
        if w.instr.span is not None
    )


def _hypercall(h: Happening, facts: Facts) -> Blame:
    place_of_call = instruction_place(h.instr)
    assert place_of_call is not None
    outcome = "succeeds" if h.value == 0 else "fails"
    return Blame(place_of_call, f"flushes {facts.names.root(h.root or 0)}, which {outcome}")


def _related(hypercalls: list[Happening]) -> list[Happening]:
    """Pick the first earlier hypercall that failed or had the root of the last one."""
    if not hypercalls:
        return []
    last = hypercalls[-1]
    return [h for h in hypercalls[:-1] if h.root == last.root or h.value != 0][:1]


def _event(facts: Facts) -> list[Blame]:
    """Name the place of the event, unless hypercalls or the return of the call say more."""
    hypercalls = any(isinstance(h.instr, Hypercall) for h in facts.of_call())
    span = _told_place(facts)
    if span is None or hypercalls:
        return []
    here = "here" if span == facts.violation.instr.span else "after this the call returns"
    returned = [h for h in facts.of_call() if isinstance(h.instr, Return)]
    if facts.violation.instr.text or facts.violation.instr.subject:
        return [Blame(span, here)]
    if returned and returned[-1].value == 0:
        named = returned[-1].operation in facts.view.named
        return [Blame(span, "returns 0" if named else "returns 0 without a hypercall")]
    return [Blame(span, here)]


def _told_place(facts: Facts) -> Span | None:
    """Return the place of the event, and for the end of a call that of what last happened in it.

    A call ends at its closing brace, which tells nothing.
    """
    span = facts.violation.instr.span
    done = facts.of_call()
    ends = {h.instr.span for h in done if isinstance(h.instr, Return)}
    if span is None or span not in ends:
        return span
    at = [(d.at, 0, d.instr.span) for d in facts.decisions_of_call()]
    at += [(k, 1, h.instr.span) for k, h in facts.numbered() if not isinstance(h.instr, Return)]
    places = [place for *_, place in sorted(at, key=lambda x: x[:2]) if place not in {None, span}]
    return places[-1] if places else span


def _cause(facts: Facts) -> list[Blame]:
    """Name the last write to a VM field that the call at fault read."""
    fields = {
        h.instr.field.name
        for h in facts.of_call()
        if isinstance(h.instr, Read)
        and h.instr.mode is not Mode.GHOST
        and h.instr.field.scope is FieldScope.VM
    }
    writes = [
        h
        for h in facts.state.happenings
        if (isinstance(h.instr, Write) or (isinstance(h.instr, Exchange) and h.value != h.before))
        and is_visible(h, facts.view)
        and h.instr.field.name in fields
    ]
    for h in reversed(writes):
        if h.instr.span is not None and h.location is not None and h.value is not None:
            assert isinstance(h.instr, (Write, Exchange))
            value = facts.names.field(h.instr.field, h.value)
            return [Blame(h.instr.span, f"sets {place_name(h.instr.field, h.location)} to {value}")]
    return []
