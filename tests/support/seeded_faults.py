"""Faults put into the engine for as long as a test runs, and what then is proved and confirmed.

A fault is a change of the text of one function, compiled anew: none is kept in the product.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from types import CodeType, FunctionType

import pytest

from flushproof.engines.outcome import NoProof
from flushproof.engines.reduction import ranking
from flushproof.engines.symbolic import unroll_layout
from flushproof.ir.analysis import counting
from flushproof.ir.invariant import ClaimedProof
from flushproof.machine.build import Machine
from flushproof.verify import unbounded_proofs
from flushproof.verify.proof_checker.check import (
    Outcome,
    ProofConfirmed,
    check_claims,
    check_defined,
)
from flushproof.verify.unbounded_proofs import Evidence, ForAll
from support.machines import machine_from

CODE = """\
struct kvm_vmx {{ struct kvm kvm; spinlock_t l; rwlock_t rw; int x, y; {fields}}};
struct vcpu_vmx {{ struct kvm_vcpu vcpu; int a; u64 pgd; }};
{helper}
int my_flush(struct kvm *kvm)
{{
	struct kvm_vmx *k = to_kvm_vmx(kvm);
	struct kvm_vcpu *vcpu;
	int i = 0, n = 0;

	{flush}
	return 0;
}}
void my_load(struct kvm_vcpu *vcpu, unsigned long root, u64 attr)
{{
	struct kvm_vmx *k = to_kvm_vmx(vcpu->kvm);
	int n = 0;

	{load}
}}
"""
SPEC = """\
spec own {{
	variant "own.c";
	operations {{ flush my_flush(kvm); load my_load(vcpu, root, free); }}
	bounds {{ vcpus 1..3; loads 1; flushes 1; flushers 1; }}
	exempt x;
	exempt y;
	exempt a;
	exempt pgd;
	assume load_flushes;
	{lines}
	claim it "it holds" {{
		{claim}
		headline "it fails";
		because "it";
	}}
}}
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """The bodies of a flush and a load, and a claim that fails, or a flush that is undefined.

    It is about one flusher at a time, or with `many` about any number. There may be more `fields`,
    a `helper`, a function that the claim calls, and `lines` of the spec.
    """

    claim: str
    flush: str = ""
    load: str = ""
    many: bool = False
    fields: str = ""
    helper: str = ""
    lines: str = ""

    def machine(self) -> Machine:
        """Return the machine that the claim, `it`, is about; `x` and `y` are its fields."""
        claim = self.claim.replace("$", "to_kvm_vmx(kvm)->")
        code = CODE.format(flush=self.flush, load=self.load, fields=self.fields, helper=self.helper)
        return machine_from(code, SPEC.format(claim=claim, lines=self.lines))


@dataclass(frozen=True, slots=True)
class Fault:
    """In a function of `flushproof.WHERE` the text `old` becomes `new`."""

    where: str
    function: str
    old: str
    new: str

    def put_in(self, patch: pytest.MonkeyPatch) -> None:
        """Let the function do something else until `patch` is undone."""
        function = self._function()
        text = textwrap.dedent(inspect.getsource(function))
        assert text.count(self.old) == 1, f"{self.function} has changed"
        code = compile(text.replace(self.old, self.new), self.where, "exec", dont_inherit=True)
        inner = (c for c in code.co_consts if isinstance(c, CodeType))
        patch.setattr(
            function, "__code__", next(c for c in inner if c.co_name == function.__name__)
        )

    def _function(self) -> FunctionType:
        module = import_module(f"flushproof.{self.where}")
        found: object = module
        for name in self.function.split("."):
            found = getattr(found, name)
        while hasattr(found, "__wrapped__"):
            found = found.__wrapped__
        assert isinstance(found, FunctionType)
        return found


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the engine by itself would say "proved", and whether the checker confirms it."""

    proved: bool
    confirmed: bool


@contextmanager
def with_faults(*faults: Fault) -> Iterator[None]:
    """Put faults into the engine for a while."""
    with pytest.MonkeyPatch.context() as patch:
        for fault in faults:
            fault.put_in(patch)
        _forget()
        yield
    _forget()


def _forget() -> None:
    """Forget what functions with a memory have found out."""
    for f in (ranking.unranked_heads, ranking.find_rank, counting.loops_of):
        f.cache_clear()
    unroll_layout._shape.cache_clear()


def ask_without_checker(machine: Machine, *, many: bool = False) -> Answer:
    """Ask for a proof, with the checker's refusals noted and not heeded."""
    outcomes: list[Outcome] = []

    def overrule(check: Callable[..., Outcome]) -> Callable[..., Outcome]:
        def checked(*arguments: object, **more: object) -> Outcome:
            outcomes.append(check(*arguments, **more))
            found = outcomes[-1]
            return found if isinstance(found, ProofConfirmed) else ProofConfirmed(0)

        return checked

    def export(*arguments: object, **more: object) -> ClaimedProof:
        found = exported(*arguments, **more)
        return found if isinstance(found, ClaimedProof) else ClaimedProof((), (), ())

    exported: Callable[..., object] = unbounded_proofs.export_claimed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(unbounded_proofs, "check_defined", overrule(check_defined))
        patch.setattr(unbounded_proofs, "check_claims", overrule(check_claims))
        patch.setattr(unbounded_proofs, "export_claimed", export)
        proved = isinstance(_prove(machine, many=many), Evidence)
    return Answer(proved, proved and all(isinstance(x, ProofConfirmed) for x in outcomes))


def refusal_of(machine: Machine, *, many: bool = False) -> str:
    """Return why `it` is not proved for every number of vCPUs; "" if a command would say it is."""
    found = _prove(machine, many=many)
    return found.reason if isinstance(found, NoProof) else ""


def _prove(machine: Machine, *, many: bool) -> Evidence | NoProof:
    prover = ForAll(machine, evidence=False, many=many)
    program = machine.with_claims(("it",), named_callers=many)
    return prover.prove(program)
