"""Whether a program with claims is the program without, once what claims added is left out.

Then what has been shown of the one, that it does nothing undefined and which sums do not wrap
around, is true of the other (Lemma L1 of docs/soundness.md).
"""

from __future__ import annotations

from flushproof.ir import code as ir
from flushproof.ir.analysis.control_flow import reachable_positions, successor_positions
from flushproof.ir.analysis.def_use import defined_local, fields_of, used_locals
from flushproof.ir.code import Mode
from flushproof.ir.invariant import Position
from flushproof.ir.program import Operation, Program, Role
from flushproof.verify.proof_checker.checked_program import Code
from flushproof.verify.proof_checker.terms import NotUnderstood

HARMLESS = (
    *(ir.Assign, ir.Havoc, ir.Every, ir.Check, ir.Assert, ir.Holds),
    *(ir.Jump, ir.Branch, ir.Available, ir.Uninit, ir.Stop),
)
"""What a claim may add, beside accesses to its own fields."""


def trusted_positions(
    base: Program, claiming: Program, exact: frozenset[Position]
) -> frozenset[Position]:
    """Return where no sum wraps around, as was shown of the program without claims.

    Raises:
        NotUnderstood: the code differs, or what was added could change what it does.
    """
    acting = [o for o in claiming.operations if o.role in (Role.LOAD, Role.FLUSH)]
    if [o.name for o in base.operations] != [o.name for o in acting]:
        raise NotUnderstood("the operations are not those without claims")
    _require_same_state(base, claiming)
    return frozenset(
        Position(o.name, new)
        for o, plain in zip(acting, base.operations, strict=True)
        for new, old in _match(plain, o).items()
        if Position(o.name, old) in exact
    )


def _require_same_state(base: Program, claiming: Program) -> None:
    """Refuse claims that act, write what the code reads, or begin with another state."""
    code = [i for o in claiming.operations for i in o.code]
    used = {f.name for i in code if not i.from_claim for f in fields_of(i)}
    for i in code:
        ghost = isinstance(i, ir.Read | ir.Write) and i.mode is Mode.GHOST
        if i.from_claim and not (ghost or isinstance(i, HARMLESS)):
            raise NotUnderstood(f"a claim acts: {type(i).__name__}")
        if i.from_claim and isinstance(i, ir.Write) and i.field.name in used:
            raise NotUnderstood(f"a claim writes `{i.field.label}`")
    first, given = ({f.name: e for f, e in p.boot} for p in (claiming, base))
    witnesses = {f.name for f in base.witnesses} ^ {f.name for f in claiming.witnesses}
    for name in used:
        if first.get(name) != given.get(name) or name in witnesses:
            raise NotUnderstood(f"`{name}` begins otherwise")


def _match(base: Operation, claiming: Operation) -> dict[int, int]:
    """Return the positions of an operation's own code, each with that in the one without claims."""
    if (base.role, base.parameters) != (claiming.role, claiming.parameters):
        raise NotUnderstood(f"another operation {base.name}()")
    _require_own_locals(claiming.code)
    found: dict[int, int] = {}
    work = [(_find_own(base.code, 0), _find_own(claiming.code, 0))]
    while work:
        old, new = work.pop()
        a, b = base.code[old], claiming.code[new]
        same = a == b
        if isinstance(a, ir.Branch) and isinstance(b, ir.Branch):
            same = a.condition == b.condition
        if not same or found.setdefault(new, old) != old:
            raise NotUnderstood(f"the code of {base.name}() differs: {a}, {b}")
        ways = (successor_positions(o.code, at) for o, at in ((base, old), (claiming, new)))
        ends = [
            (_find_own(base.code, x), _find_own(claiming.code, y))
            for x, y in zip(*ways, strict=True)
        ]
        work += [(x, y) for x, y in ends if found.get(y) != x]
    return found


def _find_own(code: Code, start: int) -> int:
    """Return the one position of the code proper that jumps and what a claim added lead to."""
    own = frozenset(
        at
        for at, i in enumerate(code)
        if isinstance(i, ir.Stop) or not (i.from_claim or isinstance(i, ir.Jump))
    )
    if start in own:
        return start
    passed = {start, *reachable_positions(code, start, own)}
    found = own.intersection(to for at in passed for to in successor_positions(code, at))
    if len(found) != 1:
        raise NotUnderstood(f"after what a claim added at {start} the code goes to {found}")
    return min(found)


def _require_own_locals(code: Code) -> None:
    """Refuse code that uses what a claim assigns, and claims that assign what the code uses."""
    own = [i for i in code if not i.from_claim]
    used = {x for i in own for x in (*used_locals(i), defined_local(i))}
    for i in code:
        x = defined_local(i)
        if i.from_claim and x is not None and x in used:
            raise NotUnderstood(f"a claim assigns `{x.name}`")
