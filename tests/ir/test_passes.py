"""Passes over the IR keep what code does."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from flushproof.engines.interpreter import interpreter
from flushproof.engines.schedule import Call, Schedule, ThreadPlan
from flushproof.frontend.spec.resolve import from_spec
from flushproof.ir.analysis.control_flow import simplify_code, successor_positions
from flushproof.ir.code import (
    Assign,
    Binary,
    Branch,
    Check,
    Const,
    Havoc,
    Instr,
    Jump,
    Local,
    Return,
    Stop,
    Uninit,
    Var,
)
from flushproof.ir.passes.cleanup import (
    clean_code,
    discharge_checks,
    live_locals,
    propagate_copies,
    prune_assignments,
)
from flushproof.ir.program import Operation, Program, Role
from flushproof.ir.types import BOOL, INT, NO_VCPU, VCPU
from flushproof.machine.build import Machine, build_machine
from lower.test_c_semantics import PIECES
from support.machines import machine_of
from support.places import NAMES, SPECS
from support.small_c import Choices, piece_machine, run_call

WIDE = 1 << 64

X, Y, Z = Local("x", INT), Local("y", INT), Local("z", INT)
TEMP = Local("%", INT)
SURE = Local("sure", BOOL)


def _as_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flushproof.machine.operations.clean_code", lambda code: code)


def _observed(program: Program, call: Call, seed: int, havoc: int) -> list[object]:
    """Return what one call shows to the outside, or how it fails."""
    plan = ThreadPlan(2, "flusher0", (call,))
    state = interpreter.initial_state(program, Schedule(2, {}, (plan,), ()))
    chance = random.Random(seed)
    for place in state.memory:
        if place not in state.locks:
            state.memory[place] = chance.choice((0, 1, 0x1000, 0x2000, WIDE - 1)) & 0xFFFFFFFF
    results = iter([chance.choice((0, 0, -5)) for _ in range(100)])
    try:
        run_call(state, state.threads[0], Choices(results, havoc))
    except interpreter.Undefined as error:
        return [error.text]
    seen = [(h.location, h.value, h.before, h.root) for h in state.happenings]
    return [*seen, sorted(state.memory.items())]


def _arguments(operation: Operation, chance: random.Random) -> Call:
    values = {
        p.name: chance.choice((0, 1)) if p.type in (BOOL, VCPU) else chance.choice((0, 1, 4096, 77))
        for p in operation.parameters.all
    }
    return Call(operation.name, values, ())


def _same(raw: Machine, cleaned: Machine, runs: int) -> None:
    for operation in raw.base.operations:
        for seed in range(runs):
            call = _arguments(operation, random.Random(seed))
            expected = _observed(raw.base, call, seed, seed & 1)
            assert _observed(cleaned.base, call, seed, seed & 1) == expected


@pytest.mark.sample(every=6)
@pytest.mark.parametrize("name", NAMES)
def test_clean_keeps_the_corpus(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that drops or moves an access changes what other threads can see."""
    cleaned = machine_of(name)
    _as_written(monkeypatch)
    raw = build_machine(from_spec(str(SPECS / f"{name}.spec")))
    assert len(raw.base.operations[0].code) > len(cleaned.base.operations[0].code)
    _same(raw, cleaned, 60)


@pytest.mark.sample(every=5)
@pytest.mark.parametrize(
    "name", [n for n in PIECES if n not in ("struct_by_value", "struct_nested")]
)
def test_clean_keeps_pieces(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A substitution past an assignment or a join computes something else."""
    cleaned = piece_machine(tmp_path, PIECES[name])
    _as_written(monkeypatch)
    _same(piece_machine(tmp_path, PIECES[name]), cleaned, 25)


@pytest.mark.parametrize("name", NAMES)
def test_clean_is_done(name: str) -> None:
    """Code that changes when cleaned again was not clean, and its text would not be stable."""
    program = machine_of(name).base
    assert all(clean_code(o.code) == o.code == simplify_code(o.code) for o in program.operations)


def _num(value: int) -> Const:
    return Const(value, INT)


def _is(local: Local, value: int) -> Binary:
    return Binary("==", Var(local), _num(value), BOOL)


STOP = Stop(None)


def test_liveness_of_a_loop() -> None:
    """What a later iteration reads is live before the loop; else steps would lose its value."""
    code: tuple[Instr, ...] = (
        Assign(X, _num(0), None),
        Assign(Y, _num(5), None),
        Branch(_is(X, 3), 6, 3, None),
        Assign(Z, Var(Y), None),
        Assign(X, Binary("+", Var(X), Var(Z), INT), None),
        Jump(2, None),
        Return(Var(X), None),
        STOP,
    )
    live = live_locals(code)
    assert [sorted(v.name for v in at) for at in live] == [
        [],
        ["x"],
        ["x", "y"],
        ["x", "y"],
        ["x", "y", "z"],
        ["x", "y"],
        ["x"],
        [],
    ]


def test_liveness_of_branches() -> None:
    """A local that only one arm reads is live before the branch."""
    code: tuple[Instr, ...] = (
        Branch(_is(X, 0), 1, 2, None),
        Return(Var(Y), None),
        Return(Var(Z), None),
        STOP,
    )
    assert live_locals(code)[0] == frozenset({X, Y, Z})


def test_prune() -> None:
    """Dead assignments go, and those that feed only them; assignments that are read stay."""
    code: tuple[Instr, ...] = (
        Havoc(Y, None),
        Assign(X, Var(Y), None),
        Assign(X, _num(1), None),
        Return(Var(X), None),
        STOP,
    )
    assert (
        clean_code(code) == (Return(_num(1), None), STOP)
        or prune_assignments(prune_assignments(code)) == code[2:]
    )


def test_propagate_stops_at_assignments() -> None:
    """`y = x; x = 1; return y` returns the old x."""
    code: tuple[Instr, ...] = (
        Assign(TEMP, Var(X), None),
        Assign(X, _num(1), None),
        Return(Var(TEMP), None),
        STOP,
    )
    assert propagate_copies(code) == code


def test_propagate_stops_at_joins() -> None:
    """A copy made in one arm says nothing after the join."""
    code: tuple[Instr, ...] = (
        Branch(_is(X, 0), 1, 3, None),
        Assign(TEMP, _num(1), None),
        Jump(4, None),
        Assign(TEMP, _num(2), None),
        Return(Var(TEMP), None),
        STOP,
    )
    assert propagate_copies(code)[-2] == Return(Var(TEMP), None)


def test_propagate_follows_copies_of_parameters() -> None:
    """Past a branch it is still known whose field a pointer of the vCPU's own leads to."""
    code: tuple[Instr, ...] = (
        Assign(Y, Var(X), None),
        Branch(_is(Z, 0), 2, 3, None),
        Havoc(TEMP, None),
        Return(Var(Y), None),
        STOP,
    )
    assert propagate_copies(code)[3] == Return(Var(X), None)
    one_way = (code[0], code[1], Assign(Y, _num(1), None), *code[3:])
    assert propagate_copies(one_way)[3] == Return(Var(Y), None)
    changed = (code[0], code[1], Assign(X, _num(1), None), *code[3:])
    assert propagate_copies(changed)[3] == Return(Var(Y), None)


def test_propagate_keeps_used_twice() -> None:
    """An expression used twice is computed once."""
    code: tuple[Instr, ...] = (
        Assign(TEMP, Binary("+", Var(X), _num(1), INT), None),
        Assign(Y, Var(TEMP), None),
        Return(Binary("+", Var(TEMP), Var(Y), INT), None),
        STOP,
    )
    assert propagate_copies(code)[0] == code[0]


def test_discharge_only_what_holds_on_every_path() -> None:
    """A check that one path needs may not be dropped."""
    fails: tuple[Instr, ...] = (
        Assign(SURE, Const(0, BOOL), None),
        Branch(_is(X, 0), 2, 3, None),
        Assign(SURE, Const(1, BOOL), None),
        Uninit("x", Var(SURE), None),
        STOP,
    )
    assert discharge_checks(fails) == fails
    holds: tuple[Instr, ...] = (
        Assign(SURE, Const(1, BOOL), None),
        Uninit("x", Var(SURE), None),
        STOP,
    )
    assert discharge_checks(holds) == (holds[0], STOP)


def test_discharge_of_null_checks() -> None:
    """A pointer tested against NULL needs no check in that arm, but one after reassignment."""
    v = Local("v", VCPU)
    there = Binary("!=", Var(v), Const(NO_VCPU, VCPU), BOOL)
    start = Havoc(v, None)
    tested: tuple[Instr, ...] = (
        start,
        Branch(there, 2, 3, None),
        Check(there, "NULL", None),
        STOP,
    )
    assert discharge_checks(tested) == (start, STOP)
    again: tuple[Instr, ...] = (
        start,
        Branch(there, 2, 4, None),
        Havoc(v, None),
        Check(there, "NULL", None),
        STOP,
    )
    assert discharge_checks(again) == again


def test_simplify_keeps_empty_loops() -> None:
    """`for (;;) ;` is a jump to itself and must neither vanish nor hang the pass."""
    code: tuple[Instr, ...] = (Jump(1, None), Jump(1, None), STOP)
    done = simplify_code(code)
    assert all(successor_positions(done, at) != () for at in range(len(done)))


def test_roles_have_distinct_operations() -> None:
    """The table of roles is what schedules are made of."""
    program = machine_of(NAMES[0]).base
    assert {o.role for o in program.operations} == {Role.LOAD, Role.FLUSH}


MANY = 4000


def test_a_long_chain_of_assignments() -> None:
    """Forgetting, or dropping, one assignment at a time takes minutes for code of this length."""
    names = [Local(f"v{n}", INT) for n in range(MANY)]
    chain = [Assign(b, Binary("+", Var(a), Const(1, INT), INT), None) for a, b in pairwise(names)]
    copies = [Assign(x, Const(n, INT), None) for n, x in enumerate(names)]
    end = (Return(Var(names[3]), None), Stop(None))
    assert len(clean_code((*copies, *chain, *end))) == 5
    assert len(clean_code((*copies, *chain, Return(Const(0, INT), None), Stop(None)))) == 2


def test_jumps_in_a_circle() -> None:
    """A circle is entered where it was, however long the way to it, and nothing goes round."""
    code: tuple[Instr, ...] = (
        Branch(Var(SURE), 1, 4, None),
        *(Jump(n, None) for n in (2, 3, 2)),
        *(Jump(n + 5, None) for n in range(MANY)),
        Return(None, None),
        Stop(None),
    )
    short = simplify_code(code)
    assert len(short) < 6
    assert Return(None, None) in short
    assert any(isinstance(i, Jump) and short[i.target] == i for i in short)
