"""Faults in the engine by which something false is "proved": none of it is confirmed.

The table says what is wrong, where, how, and which statement of `support/false_statements.py` is
then proved as long as the proof checker is not heeded.
"""

from __future__ import annotations

import pytest

from flushproof.frontend.setup import Bounds
from flushproof.results.verdict import Verdict
from flushproof.verify.portfolio import Question, decide_claims
from support.false_statements import STATEMENTS
from support.seeded_faults import (
    Answer,
    Fault,
    ask_without_checker,
    refusal_of,
    with_faults,
)

FAULTS: dict[str, tuple[Fault, str]] = {
    # engines.symbolic.execute
    "skip one side of a branch": (
        Fault(
            "engines.symbolic.execute",
            "_Region._branch",
            "self._leave(instance, then, self.owner.paths.branch(path, c, positive=True))",
            "pass",
        ),
        "branch",
    ),
    "skip the other side": (
        Fault(
            "engines.symbolic.execute",
            "_Region._branch",
            "self._leave(instance, otherwise, self.owner.paths.branch(path, c, positive=False))",
            "pass",
        ),
        "else",
    ),
    "forget a store": (
        Fault(
            "engines.symbolic.execute",
            "_Region._plain",
            "self.memory.save(path, f, number, self._value(value, path, kind))",
            "pass",
        ),
        "write",
    ),
    "drop an assertion": (
        Fault("engines.symbolic.execute", "_Region._plain", "if broken is not False:", "if False:"),
        "write",
    ),
    "drop undefined behaviour": (
        Fault("engines.symbolic.execute", "_Region._fault", "if broken is not False:", "if False:"),
        "no vCPU",
    ),
    "locks are never free": (
        Fault(
            "engines.symbolic.execute",
            "_Region._acquire",
            "return free is not False",
            "return False",
        ),
        "unlocked",
    ),
    "an attempt always succeeds": (
        Fault(
            "engines.symbolic.execute",
            "_Region._lock",
            "got = self.locks.available(path, f, number, shared=shared)",
            "got = True",
        ),
        "trylock",
    ),
    "an attempt never succeeds": (
        Fault(
            "engines.symbolic.execute",
            "_Region._lock",
            "got = self.locks.available(path, f, number, shared=shared)",
            "got = False",
        ),
        "attempt",
    ),
    "forget cmpxchg's store": (
        Fault(
            "engines.symbolic.execute",
            "_Region._exchange",
            "self.memory.save(path, instr.field, number, new)",
            "pass",
        ),
        "cmpxchg",
    ),
    "cmpxchg is never equal": (
        Fault(
            "engines.symbolic.execute",
            "_Region._exchange",
            "same = self.owner.algebra.equal(old, self._value(instr.compare, path, kind))",
            "same = False",
        ),
        "cmpxchg",
    ),
    "forget that a hypercall may fail": (
        Fault(
            "engines.symbolic.execute",
            "_Region._havoc",
            "self._assign(path, target, value)",
            "self._assign(path, target, self.owner.algebra.constant(0, target.type, kind))",
        ),
        "hypercall",
    ),
    "forget the end of a call": (
        Fault(
            "engines.symbolic.execute", "_Region._instr", "self.exits.append((None, path))", "pass"
        ),
        "end",
    ),
    "forget what a step writes": (
        Fault(
            "engines.symbolic.execute",
            "_Region._finish",
            "and v is not self.step.inputs.get(k)",
            "and False",
        ),
        "branch",
    ),
    "forget a boundary": (
        Fault(
            "engines.symbolic.execute",
            "_Region._leave",
            "self.exits.append((target, path))",
            "pass",
        ),
        "race",
    ),
    "a wait is free of effect": (
        Fault(
            "engines.symbolic.execute",
            "_Region._acquire",
            "self.locks.take(path, instr.field, number, True, shared=instr.shared)  # noqa: FBT003",
            "pass",
        ),
        "trylock",
    ),
    # engines.symbolic.paths
    "drop one side of a join, of memory": (
        Fault("engines.symbolic.paths", "Paths._join", "ite(choose, v, b.memory[k])", "v"),
        "branch",
    ),
    "drop the other side of a join": (
        Fault(
            "engines.symbolic.paths", "Paths._join", "ite(choose, v, b.memory[k])", "b.memory[k]"
        ),
        "else",
    ),
    "drop a side of a join, of locals": (
        Fault(
            "engines.symbolic.paths",
            "Paths._join",
            "ite(choose, a.locals[x], b.locals.get(x, a.locals[x]))",
            "a.locals[x]",
        ),
        "chosen",
    ),
    "drop the other side, of locals": (
        Fault(
            "engines.symbolic.paths",
            "Paths._join",
            "ite(choose, a.locals[x], b.locals.get(x, a.locals[x]))",
            "b.locals.get(x, a.locals[x])",
        ),
        "chosen not",
    ),
    # engines.symbolic.evaluate
    "drop the wrap of a sum": (
        Fault(
            "engines.symbolic.evaluate",
            "Evaluator.wrap",
            "self.algebra.note(total, type_, grows, exactly=far and type_.width == ROOT_BITS)",
            "pass",
        ),
        "sum",
    ),
    "drop the wrap of a conversion": (
        Fault(
            "engines.symbolic.evaluate",
            "Evaluator._narrow",
            "    self.algebra.note(n, to, True)  # noqa: FBT003\n    if not",
            "    if not",
        ),
        "byte",
    ),
    "widen a range": (
        Fault(
            "engines.symbolic.evaluate",
            "Evaluator._narrow",
            "if to.low <= low and high <= to.high:",
            "if True:",
        ),
        "byte",
    ),
    # engines.symbolic.values
    "narrow a range": (
        Fault(
            "engines.symbolic.values",
            "Algebra.range_of",
            "return self.known_range(n) or (type_.low, type_.high)",
            "return (0, 1)",
        ),
        "byte",
    ),
    "narrow the range of unknowns": (
        Fault(
            "engines.symbolic.values",
            "Algebra.fresh",
            "self.ranged(z3.Int(name), type_.low, type_.high)",
            "self.ranged(z3.Int(name), 0, 1)",
        ),
        "byte",
    ),
    "sums are never in doubt": (
        Fault("engines.symbolic.values", "Algebra._note", "found.doubtful is not False", "False"),
        "sum",
    ),
    # engines.symbolic.evaluate
    "swap signed and unsigned": (
        Fault("engines.symbolic.evaluate", "_bits", "if signed else", "if not signed else"),
        "negative",
    ),
    "extend by zeros": (
        Fault("engines.symbolic.evaluate", "_resize", "if of.signed else", "if not of.signed else"),
        "widened",
    ),
    "swap and and or": (
        Fault("engines.symbolic.evaluate", "_logic", "return t.and_(a, b)", "return t.or_(a, b)"),
        "conjunction",
    ),
    "true is zero": (
        Fault(
            "engines.symbolic.evaluate",
            "Evaluator._from_bool",
            "number = type_.wrap(1) if isinstance(type_, Int) else 1",
            "number = 0",
        ),
        "both",
    ),
    "swap == and !=": (
        Fault(
            "engines.symbolic.evaluate", "Evaluator._equality", 'if e.op == "=="', 'if e.op != "=="'
        ),
        "write",
    ),
    # engines.symbolic.values
    "root bits: none at all": (
        Fault(
            "engines.symbolic.values",
            "Algebra.equal",
            "return t.and_(self._equal_pages(a.page, b.page), *bits)",
            "return self._equal_pages(a.page, b.page)",
        ),
        "low bits",
    ),
    # engines.symbolic.evaluate
    "root bits: an or is its left side": (
        Fault("engines.symbolic.evaluate", "Evaluator._root_bits", "t.or_(x, y)", "x"),
        "low bits",
    ),
    # engines.symbolic.values
    "a root is 0": (
        Fault(
            "engines.symbolic.values",
            "Algebra.fresh_root",
            "z3.Const(name, self.sort)",
            "self.page_of(0)",
        ),
        "root",
    ),
    "no root is proper": (
        Fault(
            "engines.symbolic.values",
            "Algebra.proper",
            "return [self.page_term(root.page) != self.page_of(p) for p in sorted(pages)]",
            "return [z3.BoolVal(False)]",
        ),
        "root",
    ),
    "forget a flushed mask": (
        Fault("engines.symbolic.values", "Algebra.masked", "return result", "return Root(0, ())"),
        "masked",
    ),
    # engines.symbolic.cells
    "two untracked vCPUs are one": (
        Fault(
            "engines.symbolic.cells",
            "TrackedCells.load",
            "if True in same:\n        return view.peek((f.name, OwnCell(same.index(True))))",
            "return view.peek((f.name, OwnCell(0)))",
        ),
        "vCPU 0 is like w",
    ),
    "a store to another vCPU is none": (
        Fault(
            "engines.symbolic.cells",
            "TrackedCells.save",
            "self.algebra.ite(here, value, view.peek(where))",
            "value if here is True else view.peek(where)",
        ),
        "walk",
    ),
    "forget nothing of what others hold": (
        Fault("engines.symbolic.cells", "TrackedCells.save", "view.forget(f)", "pass"),
        "seen twice",
    ),
    # engines.symbolic.locks
    "a lock is always free": (
        Fault(
            "engines.symbolic.locks",
            "Locks.available",
            "free = self.algebra.equal(self.memory.load(path, f, index), 0)",
            "free = True",
        ),
        "trylock",
    ),
    "forget readers": (
        Fault(
            "engines.symbolic.locks",
            "Locks.available",
            "return t.and_(free, *(self.algebra.equal(n, 0) for n in reads))",
            "return free",
        ),
        "writer",
    ),
    "what is held is impossible": (
        Fault(
            "engines.symbolic.locks", "facts_of_held_lock", "assert word is not None", "yield False"
        ),
        "unlocked",
    ),
    # engines.unbounded.control_locations
    "assume a lock": (
        Fault(
            "engines.unbounded.control_locations",
            "Frames.possible",
            "return not any(are_exclusive(a, b) for a, b in combinations(held, 2))",
            "return len(held) < 2",
        ),
        "race of a vCPU",
    ),
    "no call is begun": (
        Fault(
            "engines.unbounded.control_locations",
            "Frames.sites",
            "return [Site(o.name, 0) for o in self.space.program.of(role)]",
            "return []",
        ),
        "write",
    ),
    "only the flusher runs": (
        Fault(
            "engines.unbounded.control_locations",
            "Frames.running",
            "return self.threads if",
            "return self.threads[:1] if",
        ),
        "vCPU",
    ),
    "nobody steps in": (
        Fault(
            "engines.unbounded.control_locations",
            "Frames.moved",
            "running = thread if inside else None",
            "running = None if to is None else thread",
        ),
        "in order",
    ),
    # engines.unbounded.horn_encoding
    "forget initiation": (
        Fault(
            "engines.unbounded.horn_encoding",
            "Builder._boot",
            'self._clause(head, (), True, "boot")',
            'self._clause(head, (), False, "boot")',
        ),
        "write",
    ),
    "skip the END handler": (
        Fault(
            "engines.unbounded.horn_encoding",
            "Builder._end",
            "if control.flusher is not None or any(control.loads):",
            "if True:",
        ),
        "end",
    ),
    "skip an interference clause": (
        Fault(
            "engines.unbounded.horn_encoding",
            "Builder._outside",
            "if self.frames.possible(",
            "if False and (",
        ),
        "branch",
    ),
    "others step where they begin only": (
        Fault(
            "engines.unbounded.horn_encoding",
            "Builder._outside",
            "sorted(self.frames.layouts[o.name].boundaries)",
            "[0]",
        ),
        "late load",
    ),
    "other vCPUs write nothing": (
        Fault("engines.unbounded.horn_encoding", "Builder._interfere", "if after:", "if False:"),
        "branch",
    ),
    "only the last way out": (
        Fault(
            "engines.unbounded.horn_encoding",
            "Builder._own_step",
            "for end in taken.exits:",
            "for end in taken.exits[-1:]:",
        ),
        "loop",
    ),
    "drop a way to fail": (
        Fault(
            "engines.unbounded.horn_encoding",
            "Builder._errors",
            "for text, broken in taken.errors:",
            "for text, broken in taken.errors[1:]:",
        ),
        "write",
    ),
    "there is no other vCPU": (
        Fault(
            "engines.unbounded.horn_encoding",
            "Builder._another",
            "(number >= 0, number < self.space.count)",
            "(number < 0, number >= 0)",
        ),
        "branch",
    ),
    "failures at the noted vCPU only": (
        Fault(
            "engines.unbounded.horn_encoding",
            "Builder._noticed",
            "return z3.Or(noted == self.space.tracked[-1], outside)",
            "return noted == self.space.tracked[-1]",
        ),
        "record early",
    ),
    "no failure is a clause": (
        Fault(
            "engines.unbounded.horn_encoding",
            "Builder._clause",
            "if constraint is not False:",
            "if constraint is not False and head is not None:",
        ),
        "write",
    ),
    # engines.unbounded.state_space
    "two vCPUs at most": (
        Fault("engines.unbounded.state_space", "_population", "count <= MOST_VCPUS", "count <= 2"),
        "last",
    ),
    "one vCPU": (
        Fault("engines.unbounded.state_space", "_population", "count <= MOST_VCPUS", "count <= 1"),
        "apart",
    ),
    "tracked vCPUs do not exist": (
        Fault(
            "engines.unbounded.state_space",
            "_population",
            "c for v in tracked for c in (v >= 0, v < count)",
            "c for v in tracked for c in (v >= 0, v < 0)",
        ),
        "vCPU",
    ),
    "witnesses are one": (
        Fault("engines.unbounded.state_space", "_witnesses", "if case.merged:", "if True:"),
        "apart",
    ),
    # engines.unbounded.prove
    "drop a case: merged": (
        Fault(
            "engines.unbounded.prove",
            "_Attempts._tries",
            "[TrackedInstances(), TrackedInstances(merged=True)]",
            "[TrackedInstances()]",
        ),
        "same",
    ),
    "merged alone": (
        Fault(
            "engines.unbounded.prove",
            "_Attempts._tries",
            "[TrackedInstances(), TrackedInstances(merged=True)]",
            "[TrackedInstances(merged=True)]",
        ),
        "apart",
    ),
    "no clause at all": (
        Fault(
            "engines.unbounded.prove",
            "_Attempts._part",
            "system = builder.run()",
            "system = replace(builder.run(), clauses=())",
        ),
        "write",
    ),
    "believe an invariant line": (
        Fault(
            "engines.unbounded.prove",
            "_Attempts._part",
            "system = replace(system, offered=offered)",
            "import z3; system = replace(system, clauses=tuple(replace(c, constraint=z3.And("
            "c.constraint, *map(z3.Not, offered))) for c in system.clauses))",
        ),
        "not so",
    ),
    "ways: the first one proves all": (
        Fault(
            "engines.unbounded.prove",
            "_Attempts._in_ways",
            "return TOO_LITTLE",
            "return Proof(tuple(parts))",
        ),
        "two in one",
    ),
    # engines.unbounded.transitions
    "claims do not fail": (
        Fault(
            "engines.unbounded.transitions",
            "TransitionExecutor._errors",
            "yield from ((c.claim, c.broken) for c in step.claimed)",
            "pass",
        ),
        "write",
    ),
    "sums do not matter": (
        Fault(
            "engines.unbounded.transitions",
            "TransitionExecutor._errors",
            "if self._matters(operation.code[at]):",
            "if False:",
        ),
        "sum",
    ),
    "forget definedness": (
        Fault(
            "engines.unbounded.transitions",
            "TransitionExecutor._errors",
            "for f in step.faults if self._matters(f.instr)",
            "for f in step.faults[:0]",
        ),
        "no vCPU",
    ),
    "claims' own code is known to be defined": (
        Fault(
            "engines.unbounded.transitions",
            "TransitionExecutor._matters",
            "return i.from_claim or not self.claims_only",
            "return not self.claims_only",
        ),
        "sum",
    ),
    "what others hold is impossible": (
        Fault(
            "engines.unbounded.transitions",
            "TransitionExecutor._inputs",
            "yield from self.space.algebra.limits(value, f.type, self.space.count)",
            "yield z3.BoolVal(False)",
        ),
        "vCPU 0",
    ),
    "only flushes do anything": (
        Fault(
            "engines.unbounded.transitions",
            "TransitionExecutor._run",
            "t.and_(step.enabled, *limits, *self._inputs(step), *executor.constraints)",
            "t.and_(step.enabled, *limits, *self._inputs(step), *executor.constraints, "
            "operation.role is Role.FLUSH)",
        ),
        "branch",
    ),
    # engines.reduction.atomicity
    "reads are never noticed": (
        Fault(
            "engines.reduction.atomicity",
            "_touches",
            "return until is not None or seen",
            "return until is not None",
        ),
        "in order",
    ),
    "stores are never noticed": (
        Fault(
            "engines.reduction.atomicity",
            "_touches",
            "return not mode.unseen",
            "return False",
        ),
        "race",
    ),
    "treat everything as a mover": (
        Fault("engines.reduction.atomicity", "_past", "return not mover.right", "return False"),
        "race",
    ),
    "left movers all": (
        Fault(
            "engines.reduction.atomicity",
            "_mover",
            "if not moves.passing(site, o).left",
            "if False",
        ),
        "race",
    ),
    "right movers all": (
        Fault(
            "engines.reduction.atomicity",
            "_mover",
            "if not moves.passing(site, o).right",
            "if False",
        ),
        "race",
    ),
    "no boundaries": (
        Fault("engines.reduction.atomicity", "_boundaries", "found.add(at)", "pass"),
        "race",
    ),
    "steps that do not end are steps": (
        Fault(
            "engines.reduction.atomicity",
            "endless_within",
            "if at in reachable_positions(code, at, boundaries)",
            "if False",
        ),
        "endless",
    ),
    "whoever waits gets the lock": (
        Fault(
            "engines.reduction.atomicity",
            "classify_sites",
            "patient = waits_end(acting) and not any(map(_loops_with_a_lock, acting))",
            "patient = True",
        ),
        "keeps",
    ),
    # engines.reduction.commutativity
    "locals need not be alike": (
        Fault(
            "engines.reduction.commutativity",
            "Moves._unmatched",
            "like += [t.equal_bool(guard, other), t.implies(guard, t.and_(*same))]",
            "pass",
        ),
        "race",
    ),
    "steps never overlap": (
        Fault(
            "engines.reduction.commutativity",
            "_overlap",
            "return bool(writes or b.outputs.keys() & a.inputs.keys())",
            "return False",
        ),
        "race",
    ),
    "what is read by the second is no matter": (
        Fault(
            "engines.reduction.commutativity",
            "_overlap",
            "return bool(writes or b.outputs.keys() & a.inputs.keys())",
            "return bool(writes)",
        ),
        "in order",
    ),
    "loads and flushes do not meet": (
        Fault(
            "engines.reduction.commutativity",
            "Moves.meet",
            "return roles != {Role.FLUSH} or self.population.flushers > 1",
            "return False",
        ),
        "race",
    ),
    "locks keep all others out": (
        Fault(
            "engines.reduction.commutativity",
            "Moves._excluded",
            "return are_exclusive(self.held[a.operation][a.at], self.held[b.operation][b.at])",
            "return bool(self.held[a.operation][a.at] or self.held[b.operation][b.at])",
        ),
        "unlocked",
    ),
    # engines.reduction.ranking
    "every loop has a rank": (
        Fault(
            "engines.reduction.ranking", "unranked_heads", "if find_rank(loop) is None", "if False"
        ),
        "endless",
    ),
    # ir.analysis.held_locks
    "an unlock frees nothing": (
        Fault(
            "ir.analysis.held_locks",
            "_after",
            "return held - {Hold(field.name, shared) for shared in (False, True)}",
            "return held",
        ),
        "unlocked",
    ),
    "a lock that others free is relied on": (
        Fault(
            "ir.analysis.held_locks",
            "guarded_locks",
            "return frozenset(locks - stray)",
            "return frozenset(locks)",
        ),
        "stray",
    ),
    "readers keep readers out": (
        Fault("ir.analysis.held_locks", "are_exclusive", "and not (x.shared and y.shared)", ""),
        "readers",
    ),
    "a lock is held on some path": (
        Fault(
            "ir.analysis.held_locks",
            "held_before",
            "solve_forward(Held(), flow, and_)",
            "solve_forward(Held(), flow, or_)",
        ),
        "sometimes locked",
    ),
    # engines.symbolic.cells
    "every() is yes": (
        Fault("engines.symbolic.cells", "TrackedCells.every", "return answer", "return True"),
        "all outside",
    ),
    "every() looks at nobody": (
        Fault(
            "engines.symbolic.cells",
            "TrackedCells.every",
            "view.require(t.implies(answer, holds(given, index)))",
            "view.require(answer)",
        ),
        "all outside",
    ),
    # engines.unbounded.horn_encoding
    "the last round of a walk is none": (
        Fault(
            "engines.unbounded.horn_encoding",
            "Builder._own_step",
            "self._clause(head, body, t.and_(constraint, end.guard), why, taken.shown)",
            "self._clause(head, body, t.and_(constraint, end.guard, self.space.count < 3), "
            "why, taken.shown)",
        ),
        "last",
    ),
    "no other flusher steps": (
        Fault(
            "engines.unbounded.horn_encoding",
            "Builder.run",
            "self._other_flushers(control)",
            "pass",
        ),
        "another flusher",
    ),
    "another flusher is the tracked one": (
        Fault(
            "engines.unbounded.horn_encoding",
            "Builder._other_flush",
            'number = z3.Int("other:flusher")',
            "number = self.space.flusher",
        ),
        "another flusher's flag",
    ),
    "the tracked flusher holds what another does": (
        Fault(
            "engines.unbounded.horn_encoding",
            "Builder._other_flush",
            "self._held_locks(taken, self.space.world(flusher=number), number)",
            "self._held_locks(taken, self.space.world(flusher=number), self.space.flusher)",
        ),
        "another flusher's lock",
    ),
    # engines.unbounded.state_space
    "all flushers have one number": (
        Fault(
            "engines.unbounded.state_space",
            "_may_flush",
            "number >= count,",
            "number == count,",
        ),
        "who was first",
    ),
    # engines.reduction.commutativity
    "flushers do not meet": (
        Fault(
            "engines.reduction.commutativity",
            "Moves.meet",
            "return roles != {Role.FLUSH} or self.population.flushers > 1",
            "return roles != {Role.FLUSH}",
        ),
        "two flushers at once",
    ),
    # engines.symbolic.values
    "a merged value has the range of a signed one": (
        Fault(
            "engines.symbolic.values",
            "Algebra._ite_number",
            "left, right = self.known_range(a), self.known_range(b)",
            "left, right = (self.range_of(x, Int(64, signed=True)) for x in (a, b))",
        ),
        "merged",
    ),
    # ir.analysis.representation
    "low bits from nowhere are those of constants": (
        Fault(
            "ir.analysis.representation",
            "_Inference.finish",
            "for slot in self.opened & self.flow.reached():",
            "for slot in ():",
        ),
        "two with low bits",
    ),
    # engines.unbounded.transitions
    "what a claim's helper does is the code's": (
        Fault(
            "engines.unbounded.transitions",
            "TransitionExecutor._matters",
            "i.from_claim",
            'i.from_claim and (i.span is None or not i.span.file.endswith(".c"))',
        ),
        "helper",
    ),
}


def test_there_are_many() -> None:
    """A few would say little of an engine with so many parts; each has a statement."""
    assert len({f for f, _ in FAULTS.values()}) == len(FAULTS) >= 60
    assert {s for _, s in FAULTS.values()} == STATEMENTS.keys()


@pytest.mark.sample("write", "no vCPU")
@pytest.mark.parametrize("name", STATEMENTS)
def test_statements_are_false(name: str) -> None:
    """Of a true statement a proof would be no fault."""
    machine, many = STATEMENTS[name].machine(), STATEMENTS[name].many
    question = Question(("it",), Bounds((1, 3), 1, 2, 1 + many), engine="bounded")
    (found,) = decide_claims(machine, question)
    refuted = found.verdict is Verdict.REFUTED
    assert refuted or found.reason.startswith("undefined behaviour"), found
    assert not ask_without_checker(machine, many=many).proved


@pytest.mark.sample(
    "forget initiation",
    "two vCPUs at most",
    "steps never overlap",
    "drop the wrap of a sum",
    "skip the END handler",
    "an unlock frees nothing",
)
@pytest.mark.parametrize("name", FAULTS)
def test_no_fault_is_believed(name: str) -> None:
    """What the engine says by mistake must not be said by a command.

    Guards Lemma L31 of docs/soundness.md.
    """
    fault, statement = FAULTS[name]
    machine, many = STATEMENTS[statement].machine(), STATEMENTS[statement].many
    with with_faults(fault):
        assert ask_without_checker(machine, many=many) == Answer(proved=True, confirmed=False)
        assert "not confirmed" in refusal_of(machine, many=many)
