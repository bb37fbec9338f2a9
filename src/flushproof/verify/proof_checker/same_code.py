"""Whether a program with claims is the program without, once what claims added is left out.

Then what has been shown of the one, that it does nothing undefined and which sums do not wrap
around, is true of the other (Lemma L1 of docs/soundness.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from flushproof.ir import code as ir
from flushproof.ir.analysis.control_flow import successor_positions
from flushproof.ir.analysis.def_use import defined_local, fields_of, used_locals
from flushproof.ir.code import Instr, Mode
from flushproof.ir.program import Operation, Program, Role
from flushproof.verify.proof_checker.code_paths import Code, NotUnderstood


def trusted_positions(
    base: Program, claiming: Program, exact: Mapping[str, frozenset[int]]
) -> dict[str, frozenset[int]]:
    """Return where no sum wraps around, as was shown of the program without claims.

    Raises:
        NotUnderstood: the code differs, or what was added could change what it does.
    """
    acting = [o for o in claiming.operations if o.role in (Role.LOAD, Role.FLUSH)]
    if [o.name for o in base.operations] != [o.name for o in acting]:
        raise NotUnderstood("the operations are not those without claims")
    _require_same_state(base, claiming)
    matched = {o.name: _match(old, o) for old, o in zip(base.operations, acting, strict=True)}
    return {
        name: frozenset(new for new, old in pairs.items() if old in exact.get(name, ()))
        for name, pairs in matched.items()
    }


def _require_same_state(base: Program, claiming: Program) -> None:
    """Refuse claims that write what the code reads, or begin with another state."""
    code = [i for o in claiming.operations for i in o.code]
    used = {f.name for i in code if not i.from_claim for f in fields_of(i)}
    for i in code:
        if i.from_claim:
            _require_harmless(i)
            if isinstance(i, ir.Write) and i.field.name in used:
                raise NotUnderstood(f"a claim writes `{i.field.label}`")
    first, given = ({f.name: e for f, e in p.boot} for p in (claiming, base))
    witnesses = {f.name for f in base.witnesses} ^ {f.name for f in claiming.witnesses}
    for name in used:
        if first.get(name) != given.get(name) or name in witnesses:
            raise NotUnderstood(f"`{name}` begins otherwise")


def _require_harmless(i: Instr) -> None:
    match i:
        case ir.Read(mode=Mode.GHOST) | ir.Write(mode=Mode.GHOST):
            pass
        case ir.Assign() | ir.Havoc() | ir.Every() | ir.Check() | ir.Assert() | ir.Holds():
            pass
        case ir.Jump() | ir.Branch() | ir.Available() | ir.Uninit() | ir.Stop():
            pass
        case _:
            raise NotUnderstood(f"a claim acts: {type(i).__name__}")


def _match(base: Operation, claiming: Operation) -> dict[int, int]:
    """Return the positions of an operation's own code, each with that in the one without claims."""
    if (base.role, base.parameters) != (claiming.role, claiming.parameters):
        raise NotUnderstood(f"another operation {base.name}()")
    code = claiming.code
    _require_own_locals(code)
    found: dict[int, int] = {}
    work = [(_first_own(base.code, 0), _first_own(code, 0))]
    while work:
        old, new = work.pop()
        if found.setdefault(new, old) != old:
            raise NotUnderstood(f"the code of {base.name}() differs")
        _require_same(base.code[old], code[new], base.name)
        ways = zip(successor_positions(base.code, old), successor_positions(code, new), strict=True)
        ends = [(_first_own(base.code, a), _first_own(code, b)) for a, b in ways]
        work += [(a, b) for a, b in ends if found.get(b) != a]
    return found


def _require_same(old: Instr, new: Instr, name: str) -> None:
    """Refuse two instructions that differ in more than where they jump to."""
    match old, new:
        case ir.Branch(a), ir.Branch(b) if a == b:
            return
        case ir.Branch(), _:
            pass
        case _ if old == new:
            return
    raise NotUnderstood(f"the code of {name}() differs: {old}, {new}")


def _first_own(code: Code, start: int) -> int:
    """Return the one position of the code proper that jumps and what a claim added lead to."""
    seen = {start}
    work = [start]
    found: set[int] = set()
    while work:
        at = work.pop()
        i = code[at]
        if isinstance(i, ir.Stop) or not (i.from_claim or isinstance(i, ir.Jump)):
            found.add(at)
            continue
        for to in successor_positions(code, at):
            if to not in seen:
                seen.add(to)
                work.append(to)
    if len(found) != 1:
        raise NotUnderstood(f"after what a claim added at {start} the code goes to {found}")
    return found.pop()


def _require_own_locals(code: Code) -> None:
    """Refuse code that uses what a claim assigns, and claims that assign what the code uses."""
    own = [i for i in code if not i.from_claim]
    used = {x for i in own for x in (*used_locals(i), defined_local(i))}
    for i in code:
        x = defined_local(i)
        if i.from_claim and x is not None and x in used:
            raise NotUnderstood(f"a claim assigns `{x.name}`")
