"""Random loops that look at a field again and again, as they are and as the waits that they become.

The enumerator goes through the states of both.
"""

from __future__ import annotations

import random

import pytest

from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.explicit.search import Graph, Move
from flushproof.engines.explicit.steps import IDLE, State
from flushproof.frontend.spec.resolve import from_text
from flushproof.machine.build import Machine, build_machine
from flushproof.support.record import replace
from flushproof.support.source import Source
from support.tiers import Lump, lumps

FIRST, LOOPS, AT_ONCE = 0, 120, 20
SEEDS: list[Lump] = lumps(FIRST, LOOPS, AT_ONCE, quick=10)
STATES = 20_000

CODE = """\
struct kvm_vmx { struct kvm kvm; int w, n; bool b; };
struct vcpu_vmx { struct kvm_vcpu vcpu; int a; };

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vmx *x = to_kvm_vmx(kvm);
	int old = 0, t = 0, u = 0;

	FLUSH
	return 0;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	struct kvm_vmx *x = to_kvm_vmx(vcpu->kvm);
	int old = 0, t = 0, u = 0;

	LOAD
}
"""
LOCAL = ("old", "old", "t", "u")
WRITERS = (
    "WRITE_ONCE(x->w, K);",
    "WRITE_ONCE(x->w, (x->w + 1) & 3);",
    "cmpxchg(&x->w, K, K);",
    "x->n = K;",
    "while (xchg(&x->b, 1)) ; x->n = 1; x->b = 0;",
    "while (READ_ONCE(x->w) == 1) ;",
    "do { old = READ_ONCE(x->w); } while (cmpxchg(&x->w, old, (old + 1) & 3) != old);",
)


class _Writer:
    """Writes code by the throw of dice."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def text(self) -> str:
        start = self.pick("", "old = READ_ONCE(x->w);", f"old = {self.number()};")
        after = self.pick("", f"WRITE_ONCE(x->w, {self.number()});")
        seen = f"{self.test()} && READ_ONCE(x->w) == {self.number()}"
        shown = f"if ({seen}) hyperv_flush_guest_mapping(0);"
        flush = f"{start} {self.loop(0)} {after} {shown}"
        load = " ".join(self.pick(*WRITERS) for _ in range(self.dice.randint(1, 2)))
        while "K" in load:
            load = load.replace("K", self.number(), 1)
        return CODE.replace("FLUSH", flush).replace("LOAD", load)

    def pick(self, *these: str) -> str:
        return self.dice.choice(these)

    def number(self) -> str:
        return self.pick("0", "0", "1", "1", "2", "3")

    def operand(self) -> str:
        return self.pick("old", "old", "t", self.number())

    def access(self) -> str:
        new = self.pick(self.number(), "(old + 1) & 3", "old | 1", "old & 2", "(t + 1) & 3", "u")
        return self.pick(
            "READ_ONCE(x->w)",
            "READ_ONCE(x->w)",
            "READ_ONCE(x->n)",
            f"cmpxchg(&x->w, {self.operand()}, {new})",
            f"try_cmpxchg(&x->w, &old, {new})",
            f"xchg(&x->w, {self.number()})",
            f"xchg(&x->b, {self.pick('0', '1')})",
        )

    def test(self) -> str:
        x = self.pick(*LOCAL)
        return self.pick(f"{x} == {self.number()}", "t == old", "t != old", f"{x} & 1", x, f"!{x}")

    def condition(self) -> str:
        compared = f"{self.access()} {self.pick('==', '!=')} {self.operand()}"
        joined = f"({self.test()}) {self.pick('||', '&&')} {compared}"
        return self.pick(self.test(), compared, joined, self.access(), f"!{self.access()}")

    def statement(self, depth: int) -> str:
        kind = self.dice.random()
        if kind < 0.15 and depth < 2:
            return self.loop(depth + 1)
        if kind < 0.3:
            return f"if ({self.test()}) {self.statement(2)}"
        if kind < 0.45:
            return f"{self.pick(*LOCAL)} = {self.operand()};"
        if kind < 0.5:
            return f"WRITE_ONCE(x->n, {self.number()});"
        return f"{self.pick(*LOCAL)} = {self.access()};"

    def some(self, depth: int, most: int) -> str:
        return " ".join(self.statement(depth) for _ in range(self.dice.randint(0, most)))

    def retry(self) -> str:
        """Write an exchange from what was read, with something done before it is made again."""
        new = self.pick("(old + 1) & 3", "old | 1", "(u + 1) & 3", self.number())
        more = self.pick("", "", "u = old;", "t = old;", f"if ({self.test()}) continue;")
        last = self.pick("old = t;", "old = t;", "u = t;", "t = old;", "old = READ_ONCE(x->w);", "")
        read = "old = READ_ONCE(x->w);"
        made = self.pick(f"cmpxchg(&x->w, old, {new})", f"cmpxchg(&x->w, u, {new})")
        return self.pick(
            f"{read} {more.replace('continue', 'u = 1')} do {{ {more} }} "
            f"while (!try_cmpxchg(&x->w, &old, {new}));",
            f"{read} {more.replace('continue', 'u = 1')} while ((t = {made}) != old) {{ {last} }}",
            f"do {{ {read} {more} t = {made}; }} while (t != old);",
            f"{read} for (;;) {{ {more} t = {made}; if (t == old) break; {last} {last} }}",
            f"{read} do {{ while ({self.test()}) {read} }} "
            f"while (!try_cmpxchg(&x->w, &old, {new}));",
        )

    def loop(self, depth: int) -> str:
        if self.dice.random() < 0.4:
            return self.retry()
        again = f"if ({self.condition()}) {self.pick('break', 'continue')}; {self.some(depth, 1)}"
        return self.pick(
            f"do {{ {self.some(depth, 2)} }} while ({self.condition()});",
            f"while ({self.condition()}) {{ {self.some(depth, 1)} }}",
            f"for (;;) {{ {self.some(depth, 2)} {again} if ({self.condition()}) break; }}",
            f"old = READ_ONCE(x->w); while ({self.condition()}) {{ {self.some(depth, 1)} }}",
        )


def _machine(seed: int) -> Machine:
    """Return the first machine from a seed on in which a loop becomes a wait."""
    for k in range(100):
        text = _Writer(100 * seed + k).text()
        machine = build_machine(from_text(Source("variant.c", text), None))
        if machine.base is not machine.loops:
            return machine
    raise AssertionError("no loop becomes a wait")


def _fails(machine: Machine) -> bool | None:
    """Tell whether a run shows what it ends with; None where something else is met."""
    program = machine.with_claims(("no_bogus",))
    outcome = enumerate_claim(program, Sizes(1, 1, 1, 1), "no_bogus", STATES)
    # A loop that looks at what never changes is one step without end.
    known = outcome.complete and outcome.undefined is None
    return (outcome.found is not None) if known else None


def _hangs(machine: Machine) -> bool | None:
    """Tell whether there is a state from which no thread that is in a call gets anywhere.

    None where a step has no end, or there are many states.
    """
    graph = Graph(machine.with_claims(()), Sizes(1, 1, 1, 1), None, ())
    following: dict[State, list[Move]] = {}
    work = [graph.boot]
    while work:
        state = work.pop()
        if state not in following:
            moves = [m for m in graph.moves(state) if not m.leaf.blocked]
            if len(following) > STATES or any(m.leaf.undefined for m in moves):
                return None
            following[state] = moves
            work += (m.after for m in moves)
    return any(_is_stuck(graph, state, following) for state in following)


def _is_stuck(graph: Graph, start: State, following: dict[State, list[Move]]) -> bool:
    """Tell whether threads that are in calls go on, if at all, without any effect."""
    points = start[graph.controls : -1 : 2]
    inside = {k for k, point in enumerate(points) if point != IDLE}
    seen: set[State] = set()
    work = [start] if inside else []
    while work:
        state = work.pop()
        if state not in seen:
            seen.add(state)
            here = state[graph.controls : -1 : 2]
            if state[: graph.controls] != start[: graph.controls] or any(
                here[k] == IDLE for k in inside
            ):
                return False
            work += (m.after for m in following[state] if m.thread in inside)
    return bool(inside)


@pytest.mark.parametrize("seeds", SEEDS, ids=str)
def test_random_loops_have_the_same_verdict(seeds: range, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wait that does not what its loop does hides a failure, or shows one that never happens.

    Guards Lemma L11 of docs/soundness.md.
    """
    monkeypatch.setattr("flushproof.engines.interpreter.interpreter.FUEL", 1_000)
    for seed in seeds:
        machine = _machine(seed)
        loops = _fails(replace(machine, base=machine.loops))
        waits = _fails(machine)
        assert None in (loops, waits) or loops == waits, seed
        waits = _hangs(machine)
        loops = _hangs(replace(machine, base=machine.loops))
        assert None in (loops, waits) or loops == waits, seed
