"""A replayed counterexample as a `Trace`."""

from __future__ import annotations

from collections.abc import Iterator

from flushproof.engines.interpreter.interpreter import Happening, State
from flushproof.engines.schedule import Schedule
from flushproof.frontend.setup import Setup
from flushproof.frontend.spec.syntax import ClaimSpec
from flushproof.ir.analysis.representation import Kinds, infer_kinds
from flushproof.ir.program import Program, Role
from flushproof.ir.types import NONE
from flushproof.machine.build import Machine
from flushproof.machine.monitors import RUNS_ON
from flushproof.results.trace import Trace
from flushproof.support.record import replace
from flushproof.verify.trace.blame import blamed_places
from flushproof.verify.trace.decisions import Skipped, skipping_decisions
from flushproof.verify.trace.message import Facts, fill_template
from flushproof.verify.trace.recipe import record_recipe
from flushproof.verify.trace.trace_lines import TraceView, trace_steps
from flushproof.verify.trace.value_names import Names, root_letters


def build_trace(
    machine: Machine,
    claim: ClaimSpec,
    program: Program,
    schedule: Schedule,
    state: State,
    smallest: str,
) -> Trace:
    """Describe a replayed counterexample; `state` ends with the claim's violation."""
    schedule = _called_threads(program, schedule)
    view = _view(machine.setup, program, infer_kinds(program), schedule, state)
    violation = next(v for v in state.violations if v.claim == claim.name)
    skipped = skipping_decisions(claim, state, (violation.thread, violation.call), view.names)
    view = replace(view, decided=tuple(s.text for s in skipped))
    steps = trace_steps(_with_decisions(state.happenings, skipped), state.waits, view)
    facts = Facts(claim, state, violation, view, steps, machine.places, skipped)
    template = violation.instr.text or claim.headline or claim.text
    at_boot = _held_at_boot(program, schedule, view)
    return Trace(
        vcpus=schedule.vcpus,
        columns=_columns(schedule, state, view),
        steps=steps,
        standing=_standing(program, schedule, state, view),
        headline=fill_template(template, facts),
        because="; ".join(filter(None, (fill_template(claim.because, facts), *at_boot))),
        blame=blamed_places(facts),
        smallest=smallest,
        recipe=record_recipe(program, schedule, state, view.names),
    )


def _with_decisions(happenings: list[Happening], skipped: tuple[Skipped, ...]) -> list[Happening]:
    """Return what happened with decisions at their places, each with its number as value."""
    out = list(happenings)
    for number, s in reversed(list(enumerate(skipped))):
        d = s.decision
        step = happenings[s.at - 1].step if s.at else 0
        made = Happening(step, d.thread, d.call, d.operation, d.instr, value=number)
        out.insert(s.at, made)
    return out


def _view(
    setup: Setup, program: Program, kinds: Kinds, schedule: Schedule, state: State
) -> TraceView:
    roots = {}
    arguments = {}
    for plan in schedule.plans:
        for number, call in enumerate(plan.calls):
            arguments[plan.number, number] = call.arguments
            operation = next(o for o in program.operations if o.name == call.operation)
            if operation.parameters.root is not None:
                roots[plan.number, number] = call.arguments[operation.parameters.root.name]
    known = root_letters(state.happenings, RUNS_ON.name, tuple(roots.values()))
    names = Names(known, kinds, setup.declarations.enums)
    return TraceView(
        threads={p.number: p.name for p in schedule.plans},
        roles={o.name: o.role for o in program.operations},
        named={o.name: o for o in program.operations if o.named},
        arguments=arguments,
        fields={f.name: f for f in program.fields},
        names=names,
        roots=roots,
        several_locks=len(state.locks) > 1,
    )


def _called_threads(program: Program, schedule: Schedule) -> Schedule:
    """Return a schedule in which threads are no flushers where there is no flush."""
    if any(not o.named for o in program.of(Role.FLUSH)):
        return schedule
    plans = (replace(p, name=p.name.replace("flusher", "thread")) for p in schedule.plans)
    return replace(schedule, plans=tuple(plans))


def _held_at_boot(program: Program, schedule: Schedule, view: TraceView) -> Iterator[str]:
    """Yield what variables held at boot that may hold anything then."""
    for f in program.witnesses:
        if not f.ghost:
            value = view.names.field(f, schedule.witnesses.get(f.name, 0))
            yield f"{f.label} is {value} at boot"


def _columns(schedule: Schedule, state: State, view: TraceView) -> tuple[str, ...]:
    acted = {h.thread for h in state.happenings}
    return tuple(
        p.name
        for p in schedule.plans
        if schedule.loads(p)
        or (p.number in acted and any(view.roles[c.operation] is Role.FLUSH for c in p.calls))
    )


def _standing(
    program: Program, schedule: Schedule, state: State, view: TraceView
) -> tuple[tuple[str, str], ...]:
    out: list[tuple[str, str]] = []
    for plan in schedule.plans:
        if schedule.loads(plan):
            root = state.memory[RUNS_ON.name, plan.number]
            if all(o.named for o in program.of(Role.LOAD)):
                continue
            if root != NONE:
                out.append((plan.name, f"still on {view.names.root(root)}"))
            elif not any(h.thread == plan.number for h in state.happenings):
                out.append((plan.name, "no root"))
    return tuple(out)
