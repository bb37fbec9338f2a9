"""From the two operations of a kernel file to the functions, reduced, that make the model."""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.diagnostics import InputError
from flushproof.frontend import syntax as c
from flushproof.frontend.cut import Item, Sort
from flushproof.frontend.walk import walk
from flushproof.kernel.abstract import Abstractor, Notes
from flushproof.kernel.known import Body, Known
from flushproof.kernel.library import Piece
from flushproof.kernel.misspelt import refuse_misspelt
from flushproof.kernel.pruning import Pruner
from flushproof.kernel.relevance import Relevance
from flushproof.kernel.state import Reads, Shared, locks, own_structs, shared, written
from flushproof.kernel.typing import scope_of, usage_of
from flushproof.record import Record, replace


class Slice(Record, frozen=True):
    """The functions of both operations by name, and the scalars they share."""

    flush: Body
    load: Body
    functions: dict[str, Body]
    shared: dict[tuple[str, str], Shared]
    notes: Notes

    @property
    def members(self) -> frozenset[str]:
        """The names of the shared scalars."""
        return frozenset(s.member for s in self.shared.values())


def slice_of(known: Known, flush: tuple[Piece, Item], load: tuple[Piece, Item]) -> Slice:
    """Reduce a file to its two operations.

    Raises:
        InputError: what they need is outside the subset.
    """
    starts = tuple(_parsed(known, *place) for place in (flush, load))
    family = _family(known, starts[0])
    known.usage |= usage_of(known, (b.function for b in (*family.values(), starts[1])))
    state = shared(known, family.values())
    held = locks(known, family.values())
    relevance = Relevance(known, frozenset(m for _, m in state) | held)
    known.structs.clear()
    notes = Notes()
    functions = _pruned(known, relevance, frozenset(family), starts, notes)
    return Slice(
        functions[starts[0].function.name],
        functions[starts[1].function.name],
        functions,
        shared(known, functions.values()),
        notes,
    )


def _parsed(known: Known, where: Piece, item: Item) -> Body:
    return Body(known.reader.function(where, item), where)


def _family(known: Known, flush: Body) -> dict[str, Body]:
    """Return the flush and the functions of the files at hand that it calls."""
    found = {flush.function.name: flush}
    pending = [flush]
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


def _body(known: Known, name: str, near: Piece) -> Body | None:
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
        if isinstance(node, c.Call) and isinstance(node.function, c.Name):
            yield node.function.id


def handed_on(f: c.Function) -> Iterator[str]:
    """Yield the names that a function gives to others, some of which may be functions."""
    for node in walk(f.body) if f.body else ():
        if isinstance(node, c.Call):
            yield from (a.id for a in node.arguments if isinstance(a, c.Name))


def _pruned(
    known: Known,
    relevance: Relevance,
    family: frozenset[str],
    starts: tuple[Body, ...],
    notes: Notes,
) -> dict[str, Body]:
    done: dict[str, Body] = {}
    pending = list(starts)
    while pending:
        body = pending.pop(0)
        if body.function.name in done:
            continue
        refuse_misspelt(known, body)
        own = Notes()
        scope = scope_of(known, body.function)
        abstractor = Abstractor(known, relevance, body, scope, family, own)
        new = Body(Pruner(abstractor).function(), body.where)
        done[body.function.name] = new
        for struct in sorted(own_structs(known, new)):
            known.whole(struct)
        for text in own.assumed:
            notes.assume(text)
        notes.called.update(own.called)
        given = (n for n in handed_on(new.function) if n not in scope)
        for name in (*called_by(new.function), *given):
            inner = None if known.modelled(name) else known.body(name, body.where)
            if inner is not None and inner.function.body is not None:
                pending.append(inner)
    return done


def closed(known: Known, piece: Slice, set_at_creation: frozenset[tuple[str, str]]) -> Slice:
    """Return the slice in which reads of what code outside writes give any value."""
    bodies = piece.functions.values()
    changed = written(known, bodies)
    state = changed | set_at_creation
    functions = {
        name: replace(b, function=Reads(known, b, state, piece.notes).function())
        for name, b in piece.functions.items()
    }
    return Slice(
        functions[piece.flush.function.name],
        functions[piece.load.function.name],
        functions,
        shared(known, functions.values()),
        piece.notes,
    )
