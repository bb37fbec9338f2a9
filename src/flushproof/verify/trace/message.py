"""Claim messages: templates of the claim file filled with what happened.

`{name}` is a witness, a ghost variable, an argument of the event or a shorthand; `{subject}` the
variable or lock that the event is about. After a dot: `{w.since}` since when vCPU w runs on its
root, `{c.calls}` and `{c.flushed}` the hypercalls of the call at fault, `{c.ret}` what it returned,
`{p.field}` the field of place p, `{p.race}` who touched it, `{lock.history}` who took and freed it,
`{lock.waits}` who holds what and waits for what.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from flushproof.engines.interpreter import lock_word
from flushproof.engines.interpreter.interpreter import (
    Decision,
    Happening,
    Location,
    State,
    Violation,
    Wait,
)
from flushproof.frontend.spec.syntax import ClaimSpec
from flushproof.ir.code import (
    Access,
    Acquire,
    Exchange,
    Field,
    FieldScope,
    Hypercall,
    Mode,
    Read,
    Release,
    Return,
    TryAcquire,
    Write,
)
from flushproof.ir.program import Role
from flushproof.ir.types import ROOT
from flushproof.machine.instrument import PLACE_STRIDE
from flushproof.machine.monitors import RUNS_ON
from flushproof.results.trace import TraceStep
from flushproof.support.record import Record
from flushproof.verify.trace.decisions import Skipped
from flushproof.verify.trace.trace_lines import TraceView, takes_lock
from flushproof.verify.trace.value_names import Names, number_words, place_name, thread_name

_PART = re.compile(r"\{([^{}.]+)(?:\.([a-z]+))?\}")


class Facts(Record, frozen=True):
    """Everything that a message may speak of."""

    claim: ClaimSpec
    state: State
    violation: Violation
    view: TraceView
    steps: tuple[TraceStep, ...]
    places: tuple[Field, ...]
    skipped: tuple[Skipped, ...] = ()

    @property
    def names(self) -> Names:
        """How values are called."""
        return self.view.names

    def of_call(self) -> list[Happening]:
        """Return what happened in the call at fault."""
        v = self.violation
        return [h for h in self.state.happenings if (h.thread, h.call) == (v.thread, v.call)]

    def numbered(self) -> list[tuple[int, Happening]]:
        """Return what the code of the call at fault did, each with its number."""
        v, ghost = self.violation, Mode.GHOST
        return [
            (k, h)
            for k, h in enumerate(self.state.happenings)
            if (h.thread, h.call) == (v.thread, v.call) and getattr(h.instr, "mode", None) != ghost
        ]

    def decisions_of_call(self) -> list[Decision]:
        """Return the branches that the code of the call at fault took."""
        v, own = self.violation, self.claim.span.file
        mine = (d for d in self.state.decisions if (d.thread, d.call) == (v.thread, v.call))
        return [d for d in mine if d.instr.span is not None and d.instr.span.file != own]


def fill_template(template: str, facts: Facts) -> str:
    """Fill a template; a part that nothing is known of becomes `?`."""

    def part(found: re.Match[str]) -> str:
        name, attribute = found.groups()
        if attribute is None:
            return _value(name, facts)
        make = _ATTRIBUTES.get(attribute)
        return "?" if make is None else make(name, facts)

    return _PART.sub(part, template)


def _value(name: str, facts: Facts) -> str:
    if name == "subject":
        return facts.violation.instr.subject
    for local, expr in facts.violation.instr.values:
        if local == name:
            value = facts.violation.values[name]
            root_like = expr.type == ROOT or value > 0xFFFF or name in ("x", "CACHE_ROOT")
            return facts.names.root(value) if root_like else facts.names.typed(expr.type, value)
    f = _ghost(name, facts)
    if f is None:
        return "?"
    return facts.names.typed(f.type, facts.state.memory[f.name, None])


def _ghost(name: str, facts: Facts) -> Field | None:
    wanted = f"{facts.claim.name}:{name}"
    return next((f for f in facts.state.program.fields if f.name == wanted), None)


def _number(name: str, facts: Facts) -> int:
    f = _ghost(name, facts)
    return 0 if f is None else facts.state.memory[f.name, None]


def _since(name: str, facts: Facts) -> str:
    """Say since when a vCPU runs on its root: `vCPU1 runs on A since step 2`."""
    vcpu = _number(name, facts)
    root = facts.state.memory[RUNS_ON.name, vcpu]
    own = [s for s in facts.steps if (s.thread, s.operation) == (f"vcpu{vcpu}", "load")]
    loads = [s for s in own if s.event in ("load", "return")]
    since = f" since step {loads[-1].index}" if loads else ""
    return f"vCPU{vcpu} runs on {facts.names.root(root)}{since}"


def _hypercalls(facts: Facts) -> list[Happening]:
    return [h for h in facts.of_call() if isinstance(h.instr, Hypercall)]


def _flushed(_: str, facts: Facts) -> str:
    done = [facts.names.flushed(h.root or 0) for h in _hypercalls(facts) if h.value == 0]
    return "{" + ", ".join(dict.fromkeys(done)) + "}" if done else "nothing"


def _calls(_: str, facts: Facts) -> str:
    texts = [
        f"{facts.names.flushed(h.root or 0)}{'' if h.value == 0 else ' (failed)'}"
        for h in _hypercalls(facts)
    ]
    return ", then ".join(texts) if texts else "no hypercall"


def _ret(_: str, facts: Facts) -> str:
    for h in reversed(facts.of_call()):
        if isinstance(h.instr, Return) and h.value is not None:
            return number_words(h.value)
    return "?"


def _field(name: str, facts: Facts) -> str:
    f, location = _place(name, facts)
    return place_name(f, location)


def _place(name: str, facts: Facts) -> tuple[Field, Location]:
    """Decode the place that ghost variable `name` holds."""
    number_of_field, vcpu = divmod(_number(name, facts), PLACE_STRIDE)
    f = facts.places[number_of_field]
    return f, (f.name, vcpu if f.scope is FieldScope.VCPU else None)


def last_touches(name: str, facts: Facts) -> list[Happening]:
    """Return one access of each thread to the place that `name` holds, its last write if any."""
    telling: dict[int, Happening] = {}
    for h in _accesses(name, facts):
        if h.thread not in telling or h.writes:
            telling[h.thread] = h
    return list(telling.values())


def _accesses(name: str, facts: Facts) -> list[Happening]:
    _, location = _place(name, facts)
    return [
        h
        for h in facts.state.happenings
        if _by_code(h)
        and h.location == location
        and facts.view.roles[h.operation] in (Role.LOAD, Role.FLUSH)
    ]


def _by_code(h: Happening) -> bool:
    """Tell whether it is an access that the code makes, rather than a claim or a store buffer."""
    match h.instr:
        case Read(mode=mode) | Write(mode=mode):
            return mode not in (Mode.GHOST, Mode.DRAIN)
        case Exchange() | Access():
            return True
        case _:
            return False


def _race(name: str, facts: Facts) -> str:
    return "; ".join(_touch(h, facts) for h in last_touches(name, facts))


def _touch(h: Happening, facts: Facts) -> str:
    verb = "writes" if h.writes else "reads"
    line = 0 if h.instr.span is None else h.instr.span.line
    return f"{thread_name(facts.view.threads[h.thread])} {verb} it in line {line}"


def _history(_: str, facts: Facts) -> str:
    found = [
        f"{thread_name(facts.view.threads[h.thread])} {'takes' if takes_lock(h) else 'releases'} "
        f"`{_label(h)}` in line {h.instr.span.line if h.instr.span else 0}"
        for h in facts.of_call()
        if takes_lock(h) or (isinstance(h.instr, Release) and not h.instr.freeing.to_memory)
    ]
    return ", then ".join(found) if found else "the call never takes the lock"


def _label(h: Happening) -> str:
    assert isinstance(h.instr, (Acquire, TryAcquire, Release))
    return h.instr.field.label


def _waits(_: str, facts: Facts) -> str:
    return "; ".join(_waiting(w, facts) for w in facts.state.waits)


def _waiting(w: Wait, facts: Facts) -> str:
    """Say such as `vCPU0 holds `a` and waits for `b``, or who holds what it waits for."""
    name = thread_name(facts.view.threads[w.thread])
    held = _held_by(w.thread, facts)
    wanted = f"`{place_name(w.instr.field, w.location)}`"
    if w.holder is None:
        wanted = f"{wanted}, which is {facts.names.field(w.instr.field, w.found)}"
        return (
            f"{name} holds {held} and waits for {wanted}" if held else f"{name} waits for {wanted}"
        )
    if w.holder == w.thread:
        return f"{name} waits for {wanted}, which it holds itself"
    text = f"{name} holds {held} and waits for {wanted}" if held else f"{name} waits for {wanted}"
    if any(other.thread == w.holder for other in facts.state.waits):
        return text
    return f"{text}, which {thread_name(facts.view.threads[w.holder])} took and never freed"


def _held_by(number_of_thread: int, facts: Facts) -> str:
    labels = {f.name: f for f in facts.state.program.fields}
    held = (
        x
        for x in facts.state.locks
        if lock_word.is_holder_or_reader(facts.state.memory[x], number_of_thread)
    )
    return " and ".join(f"`{place_name(labels[x[0]], x)}`" for x in held)


_ATTRIBUTES: dict[str, Callable[[str, Facts], str]] = {
    "since": _since,
    "flushed": _flushed,
    "calls": _calls,
    "ret": _ret,
    "field": _field,
    "race": _race,
    "history": _history,
    "waits": _waits,
}
