"""What the flush and the load keep: the members and file-level variables that they use.

In: functions. Out: names, since a name that is met elsewhere is taken to be the same place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.c.types import CType, Integer, Pointer, Struct
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.builtin_headers import names_of
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.frontend.kernel.state import PATHS, changed_expression, own_structs
from flushproof.frontend.kernel.type_inference import (
    MemberUse,
    Scope,
    is_table,
    member_uses,
    root_of,
    scope_of,
    type_of,
)
from flushproof.support.record import Record, replace


class TrackedState(Record, frozen=True):
    """The state by name.

    `variables` are the file-level variables that are read, `changing` those of them that the
    functions write; `structs` hold members of the state, `widths` are those of its integers; `own`
    are the members of structs that functions have objects of.
    """

    members: frozenset[str] = frozenset()
    variables: frozenset[str] = frozenset()
    changing: frozenset[str] = frozenset()
    structs: frozenset[str] = frozenset()
    widths: frozenset[int] = frozenset()
    own: frozenset[str] = frozenset()

    @property
    def names(self) -> frozenset[str]:
        """The names that no function can have in it and not matter."""
        return self.members | self.changing

    def joined(self, other: TrackedState) -> TrackedState:
        """Return what either holds."""
        return TrackedState(
            self.members | other.members,
            self.variables | other.variables,
            self.changing | other.changing,
            self.structs | other.structs,
            self.widths | other.widths,
            self.own | other.own,
        )


def track_state(known: ResolvedNames, bodies: Iterable[Body]) -> TrackedState:
    """Return what functions keep."""
    found = TrackedState()
    for body in bodies:
        found = found.joined(_of(known, body))
    return found


def _of(known: ResolvedNames, body: Body) -> TrackedState:
    own = own_structs(known, body)
    scope = scope_of(known, body.function)
    uses = list(member_uses(known, body))
    state = [a for a in uses if a.struct not in own and is_state(known, a)]
    variables = _variables(known, body, scope)
    types = [a.type for a in state]
    types += [t for v in variables if (t := _variable_type(known, body, v)) is not None]
    return TrackedState(
        frozenset(a.member for a in state),
        frozenset(variables),
        frozenset(v for v in variables if v in _changed(body, scope)),
        frozenset(a.struct for a in state) - PATHS.keys(),
        frozenset(w for t in types for w in _widths(t)),
        frozenset(a.member for a in uses if a.struct in own),
    )


def is_state(known: ResolvedNames, a: MemberUse) -> bool:
    """Tell whether a member holds something, and does not only lead to the VM or a vCPU."""
    base = known.base.prelude.structs.get(a.struct)
    if base is not None and a.member in base.members:
        return False
    t = a.type.target if isinstance(a.type, Pointer) else a.type
    return not (isinstance(t, Struct) and t.name in PATHS)


def _variables(known: ResolvedNames, body: Body, scope: Scope) -> dict[str, None]:
    f = body.function
    tables = {
        id(n.base)
        for n in (walk(f.body) if f.body else ())
        if isinstance(n, c.Member) and is_table(n, scope)
    }
    found: dict[str, None] = {}
    for n in walk(f.body) if f.body else ():
        if not isinstance(n, c.Name) or n.id in scope or id(n) in tables or n.id in found:
            continue
        if is_variable(known, n.id, body):
            found[n.id] = None
    return found


def is_variable(known: ResolvedNames, name: str, body: Body) -> bool:
    """Tell whether a name is that of a variable at file level."""
    prelude = known.base.prelude
    if name in prelude.functions or name in prelude.constants:
        return False
    if known.library.find(Sort.GLOBAL, name, body.where) is not None:
        return True
    default = known.base.default(c.Declaration, name)
    return default is not None and name in names_of(default)


def _variable_type(known: ResolvedNames, body: Body, name: str) -> CType | None:
    return type_of(known, body, {}, c.Name(name, body.function.span))


def _changed(body: Body, scope: Scope) -> frozenset[str]:
    f = body.function
    targets = (changed_expression(n) for n in (walk(f.body) if f.body else ()))
    roots = (root_of(t) for t in targets if t is not None)
    return frozenset(r.id for r in roots if r is not None and r.id not in scope)


def _widths(t: CType) -> Iterator[int]:
    match t:
        case Integer(_, ir):
            yield ir.width
        case Pointer():
            yield 64
        case Struct() as s if s.name == "atomic_t":
            yield 32
        case Struct() as s if s.name == "atomic64_t":
            yield 64
        case _:
            pass


def extend_tracked(
    known: ResolvedNames, before: TrackedState, kept: Iterable[Body], all_: Iterable[Body]
) -> TrackedState:
    """Return what is tracked once the functions that are kept read more than before.

    A member that only these read is state if some function of the two operations writes it.
    """
    now = track_state(known, kept)
    written: set[str] = set()
    stored: set[str] = set()
    for b in all_:
        scope = scope_of(known, b.function)
        stored |= _changed(b, scope)
        nodes = walk(b.function.body) if b.function.body else ()
        written |= {t.name for n in nodes if isinstance(t := changed_expression(n), c.Member)}
    joined = before.joined(replace(now, members=now.members & written))
    return replace(joined, changing=joined.changing | (stored & joined.variables))
