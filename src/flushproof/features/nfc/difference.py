"""Two runs under one schedule as a `VariantDifference`, in the reader's words."""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.engines.interpreter.interpreter import Happening, Location
from flushproof.features.nfc.concrete_runs import CallOutcome, DifferencePlace, Issued, Run
from flushproof.features.nfc.observer import Sight
from flushproof.ir.analysis.representation import infer_kinds
from flushproof.ir.code import Exchange, Field, Return, Write
from flushproof.ir.program import Operation, Role
from flushproof.machine.build import Machine
from flushproof.machine.monitors import RUNS_ON
from flushproof.results.comparison import Act, SharedCall, SideOutcome, VariantDifference
from flushproof.support.record import Record
from flushproof.verify.trace.value_names import (
    Names,
    number_words,
    place_name,
    root_letters,
    thread_name,
)


class _Words(Record, frozen=True):
    """How the values of one side are called."""

    names: Names

    def issued(self, i: Issued) -> str:
        outcome = "ok" if i.result == 0 else "failed"
        return f"flush {self.target(i)} {outcome}"

    def target(self, i: Issued) -> str:
        reach = "" if i.whole else f" ({number_words(i.start)}, {number_words(i.pages)})"
        return f"{self.names.root(i.root)}{reach}"

    def hypercalls(self, done: CallOutcome) -> Iterator[Act]:
        for i in done.issued:
            where = "" if i.span is None else f"{i.span.line}: "
            yield Act(f"{where}{self.issued(i)}", i.span)

    def side(self, done: CallOutcome, *, flush: bool) -> SideOutcome:
        end = _end(done, flush=flush)
        return SideOutcome(tuple(self.hypercalls(done)), end, tuple(self.changed(done)))

    def changed(self, done: CallOutcome) -> Iterator[tuple[str, str]]:
        """Yield the fields that a call leaves other than it found them."""
        found: dict[Location, tuple[Field, int, int]] = {}
        for h in done.happenings:
            match h.instr:
                case Write(field) | Exchange(_, field) if not field.ghost and h.location:
                    start = found[h.location][1] if h.location in found else _known(h.before)
                    found[h.location] = (field, start, _known(h.value))
                case _:
                    pass
        for where, (field, before, after) in found.items():
            if before != after:
                yield place_name(field, where), self.names.field(field, after)


def _known(value: int | None) -> int:
    assert value is not None
    return value


def _end(done: CallOutcome, *, flush: bool) -> Act | None:
    last = done.happenings[-1].instr.span
    if not done.returned:
        return Act("waits for ever", last)
    if not flush and done.free:
        return None
    spans = (h.instr.span for h in done.happenings if isinstance(h.instr, Return))
    text = "return" if done.result is None else f"return {done.result}"
    return Act(text if done.free else f"{text}, keeps a lock", next(spans, last))


def describe_difference(
    old: tuple[Machine, Run],
    new: tuple[Machine, Run],
    at: DifferencePlace,
    sight: Sight,
    smallest: str,
) -> VariantDifference:
    """Describe two runs up to where they first differ."""
    known = _letters(old[1], new[1])
    ours, theirs = (
        _Words(Names(known, infer_kinds(run.program), machine.setup.declarations.enums))
        for machine, run in (old, new)
    )
    was, now = old[1].calls[at.call], new[1].calls[at.call]
    return VariantDifference(
        vcpus=old[1].schedule.vcpus,
        calls=tuple(_calls(old[1], new[1], (ours, theirs), at.call)),
        at=at.hypercall,
        headline=_headline((ours, was), (theirs, now), at, sight),
        smallest=smallest,
    )


def _letters(old: Run, new: Run) -> dict[int, str]:
    begun = tuple(root for _, root in _arguments(old) if root is not None)
    pairs = zip(old.calls, new.calls, strict=False)
    happened: list[Happening] = [h for a, b in pairs for h in (*a.happenings, *b.happenings)]
    return root_letters(happened, RUNS_ON.name, begun)


def _arguments(run: Run) -> Iterator[tuple[Operation, int | None]]:
    """Yield the operation of each call in the order of execution, and the root of a load."""
    operations = {o.name: o for o in run.program.operations}
    done = [0] * len(run.schedule.plans)
    for position in run.schedule.order:
        call = run.schedule.plans[position].calls[done[position]]
        done[position] += 1
        operation = operations[call.operation]
        root = operation.parameters.root
        yield operation, None if root is None else call.arguments[root.name]


def _calls(old: Run, new: Run, words: tuple[_Words, _Words], last: int) -> Iterator[SharedCall]:
    threads = [old.schedule.plans[p].name for p in old.schedule.order]
    for k, (operation, root) in enumerate(_arguments(old)):
        if k > last:
            return
        flush = operation.role is Role.FLUSH
        text = "flush" if root is None else f"load({words[0].names.root(root)})"
        sides = (
            w.side(run.calls[k], flush=flush) for w, run in zip(words, (old, new), strict=True)
        )
        was, now = sides
        yield SharedCall(k + 1, thread_name(threads[k]), text, was, now)


# The headline ------------------------------------------------------------------------------------

_Told = tuple[_Words, CallOutcome]


def _headline(old: _Told, new: _Told, at: DifferencePlace, sight: Sight) -> str:
    if at.hypercall is None:
        return _ending(old[1], new[1])
    a, b = _issued(old[1], at.hypercall), _issued(new[1], at.hypercall)
    if sight is Sight.SEQUENCE and a is not None and b is not None:
        return (
            f"hypercall {at.hypercall + 1} of the call is on {old[0].target(a)} in the old code, "
            f"on {new[0].target(b)} in the new"
        )
    return _alone(old, new, at.hypercall, sight)


def _alone(old: _Told, new: _Told, k: int, sight: Sight) -> str:
    """Tell of a hypercall that only one side issues."""
    b = _issued(new[1], k)
    roots = {i.root for i in old[1].issued}
    extra = b is not None and (sight is Sight.SEQUENCE or b.root not in roots)
    if extra and b is not None:
        return f"the new code issues a hypercall on {new[0].target(b)}, the old code does not"
    a = _issued(old[1], k)
    assert a is not None
    return f"the old code issues a hypercall on {old[0].target(a)}, the new code does not"


def _issued(done: CallOutcome, k: int) -> Issued | None:
    return done.issued[k] if k < len(done.issued) else None


def _ending(old: CallOutcome, new: CallOutcome) -> str:
    if old.returned != new.returned:
        which, other = ("old", "new") if new.returned else ("new", "old")
        return f"in the {which} code the call waits for ever, in the {other} code it returns"
    if old.free != new.free:
        which = "old" if new.free else "new"
        return f"in the {which} code the call returns with a lock held"
    return f"the call returns {old.result} in the old code, {new.result} in the new"
