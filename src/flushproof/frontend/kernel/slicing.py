"""From the two operations of a kernel file to the functions, reduced, that make the model.

Lemma L28 of docs/soundness.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Item, Sort
from flushproof.frontend.c.types import Struct
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.effects import Effects
from flushproof.frontend.kernel.havoc import Written, expand_havoc
from flushproof.frontend.kernel.havoc_abstraction import Abstractor
from flushproof.frontend.kernel.library import FilePiece
from flushproof.frontend.kernel.misspelt import refuse_misspelt
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.frontend.kernel.notes import STATE, Notes
from flushproof.frontend.kernel.pruning import Pruner
from flushproof.frontend.kernel.relevance import Relevance
from flushproof.frontend.kernel.state import (
    Reads,
    SharedScalar,
    lock_types,
    own_structs,
    refuse_addresses,
    shared_scalars,
    used_locks,
    written_members,
)
from flushproof.frontend.kernel.tracked import TrackedState, extend_tracked, track_state
from flushproof.frontend.kernel.type_inference import member_uses, scope_of, usage_of
from flushproof.frontend.kernel.ways import Key
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record, replace


class Slice(Record, frozen=True):
    """The functions of both operations by name, and the scalars they share."""

    flush: Body
    load: Body
    functions: dict[str, Body]
    shared: dict[tuple[str, str], SharedScalar]
    tracked: TrackedState
    notes: Notes

    @property
    def members(self) -> frozenset[str]:
        """The names of the shared scalars."""
        return frozenset(s.member for s in self.shared.values())


def slice_of(
    known: ResolvedNames, flush: tuple[FilePiece, Item], load: tuple[FilePiece, Item]
) -> Slice:
    """Reduce a file to its two operations.

    Raises:
        InputError: what they need is outside the subset.
    """
    starts = tuple(_parsed(known, *place) for place in (flush, load))
    family = _family(known, starts[0])
    known.usage |= usage_of(known, (b.function for b in (*family.values(), starts[1])))
    held = used_locks(known, family.values())
    state = track_state(known, family.values()).joined(TrackedState(members=held))
    state = extend_tracked(known, state, (), (*family.values(), starts[1]))
    while True:
        known.structs.clear()
        notes = Notes()
        functions = _pruned(known, state, frozenset(family), starts, notes)
        wider = extend_tracked(known, state, functions.values(), _whole(known, functions, family))
        if wider == state:
            break
        state = wider
    return Slice(
        functions[starts[0].function.name],
        functions[starts[1].function.name],
        functions,
        shared_scalars(known, functions.values()),
        state,
        notes,
    )


def _whole(
    known: ResolvedNames, kept: dict[str, Body], family: dict[str, Body]
) -> tuple[Body, ...]:
    """Return the functions that are kept as they stand in their files, and all of the flush."""
    found = {name: known.body(name, b.where) or b for name, b in kept.items()}
    return tuple({**found, **family}.values())


def _parsed(known: ResolvedNames, where: FilePiece, item: Item) -> Body:
    return Body(known.reader.function(where, item), where)


def _family(known: ResolvedNames, start: Body) -> dict[str, Body]:
    """Return an operation and the functions of the files at hand that it calls."""
    found = {start.function.name: start}
    pending = [start]
    while pending:
        body = pending.pop()
        for name in called_by(body.function):
            if name in found or known.modelled(name):
                continue
            inner = _body(known, name, body.where)
            if inner is not None:
                found[name] = inner
                pending.append(inner)
    return found


def _body(known: ResolvedNames, name: str, near: FilePiece) -> Body | None:
    """Return a function; one in a header that cannot be parsed counts as unknown."""
    place = known.library.find(Sort.FUNCTION, name, near)
    try:
        return known.body(name, near)
    except InputError:
        if place is not None and place[0].name.endswith(".h"):
            return None
        raise


def called_by(f: c.Function) -> Iterator[str]:
    """Yield the names of the functions that a function calls."""
    for node in walk(f.body) if f.body else ():
        if isinstance(node, c.CallExpr) and isinstance(node.function, c.Name):
            yield node.function.id


def handed_on(f: c.Function) -> Iterator[str]:
    """Yield the names that a function gives to others, some of which may be functions."""
    for node in walk(f.body) if f.body else ():
        if isinstance(node, c.CallExpr):
            yield from (a.id for a in node.arguments if isinstance(a, c.Name))


def _pruned(
    known: ResolvedNames,
    state: TrackedState,
    family: frozenset[str],
    starts: tuple[Body, ...],
    notes: Notes,
) -> dict[str, Body]:
    done: dict[str, Body] = {}
    pending = list(starts)
    # What is only looked at is not declared.
    aside = ResolvedNames(known.base, known.library, known.usage)
    effects = Effects(aside, Relevance(aside, state))
    while pending:
        body = pending.pop(0)
        if body.function.name in done:
            continue
        refuse_misspelt(known, body)
        own = Notes()
        scope = scope_of(known, body.function)
        abstractor = Abstractor(known, effects, body, scope, family, own)
        new = Body(Pruner(abstractor).function(), body.where)
        done[body.function.name] = new
        for struct in sorted(own_structs(known, new)):
            known.whole(struct)
        for text in own.assumed:
            notes.assume(text)
        notes.called.update(own.called)
        notes.unknown.update(own.unknown)
        given = (n for n in handed_on(new.function) if n not in scope)
        for name in (*called_by(new.function), *given):
            inner = None if known.modelled(name) else known.body(name, body.where)
            if inner is not None and inner.function.body is not None:
                pending.append(inner)
    if effects.taken:
        names = ", ".join(f"{name}()" for name in sorted(effects.taken))
        notes.assume(f"{names} {'changes' if len(effects.taken) == 1 else 'change'} nothing here")
    return done


class OtherWriters(Record, frozen=True):
    """What others do: members that creation sets, members and variables that others may write.

    If `quiet`, functions that are not known write nothing.
    """

    given: frozenset[Key]
    members: frozenset[Key]
    variables: frozenset[str]
    quiet: bool = False


def members_of(known: ResolvedNames, piece: Slice) -> frozenset[Key]:
    """Return the members that the functions of a slice keep, locks left out."""
    held = lock_types(known)
    return frozenset(
        (a.struct, a.member)
        for b in piece.functions.values()
        for a in member_uses(known, b)
        if a.member in piece.tracked.members
        and a.type not in held
        and a.struct not in own_structs(known, b)
    )


def close_slice(known: ResolvedNames, piece: Slice, outside: OtherWriters) -> Slice:
    """Return the slice in which reads of what code outside writes give any value.

    Raises:
        InputError: code outside may write what can be given no value.
    """
    changed = written_members(known, piece.functions.values())
    kept = frozenset(k for k in changed | outside.given if k[1] in piece.tracked.members)
    state = kept - outside.members
    functions = {}
    for name, b in piece.functions.items():
        refuse_addresses(known, b, outside.members, outside.variables)
        reads = Reads(known, b, state, piece.notes, outside.variables)
        functions[name] = replace(b, function=reads.function())
    if STATE in piece.notes.called:
        unknown = Written({}, frozenset(), frozenset())
        unknown = unknown if outside.quiet else _written(known, piece, state)
        functions = expand_havoc(functions.values(), unknown)
    return replace(
        piece,
        flush=functions[piece.flush.function.name],
        load=functions[piece.load.function.name],
        functions=functions,
        shared=shared_scalars(known, functions.values()),
    )


def _written(known: ResolvedNames, piece: Slice, state: frozenset[tuple[str, str]]) -> Written:
    """Return what an unknown function may write."""
    span = piece.flush.function.span
    members = {(s, m): known.member(s, m, span) for s, m in state}
    held = frozenset(t.name for t in lock_types(known) if isinstance(t, Struct))
    return Written(members, piece.tracked.changing, held)
