"""`flushproof mutate`: fates, summaries, exit codes, and that nothing depends on chance."""

from __future__ import annotations

import json
import os
from importlib.resources import files

import jsonschema
import pytest

from flushproof.cli import main as cli
from flushproof.cli.commands.mutate import json as mutate_json
from flushproof.cli.commands.mutate import text as mutate_text
from flushproof.features.mutation.decide import Asked, judge_mutants
from flushproof.features.mutation.mutant_checker import Fails
from flushproof.features.mutation.mutant_verdict import kill_of
from flushproof.pipeline import Passes
from flushproof.results.mutation import Baseline, Fate, How, Kill, KillCount, MutantResult, Mutation
from flushproof.results.verdict import Verdict
from flushproof.support.record import replace
from flushproof.verify.options import Options
from flushproof.verify.progress import MutantListener
from support.places import SPECS

SCHEMA = json.loads(files("flushproof.report").joinpath("schema.json").read_text())
WHOLE_CORPUS = "FLUSHPROOF_MUTATE_CORPUS" in os.environ

SMALL = """\
struct kvm_vmx { struct kvm kvm; spinlock_t lock; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 root; };
int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	int ret = 0, spare = 2;

	spin_lock(&to_kvm_vmx(kvm)->lock);
	if (VALID_PAGE(to_vmx(kvm_get_vcpu(kvm, 0))->root))
		ret = hyperv_flush_guest_mapping(to_vmx(kvm_get_vcpu(kvm, 0))->root);
	spin_unlock(&to_kvm_vmx(kvm)->lock);
	return ret;
}
void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	spin_lock(&to_kvm_vmx(vcpu->kvm)->lock);
	to_vmx(vcpu)->root = root;
	spin_unlock(&to_kvm_vmx(vcpu->kvm)->lock);
}
"""
CLAIMS = (
    "coverage",
    "failure_kept",
    "failure_true",
    "lock_balanced",
    "no_bogus",
    "no_race",
    "no_uninit",
)


@pytest.fixture(name="found", scope="module")
def found_in_small(tmp_path_factory: pytest.TempPathFactory) -> Mutation:
    """Return what becomes of the mutants of the small variant."""
    path = tmp_path_factory.mktemp("small") / "small.c"
    path.write_text(SMALL)
    return _mutated(str(path), jobs=1)


def _mutated(path: str, jobs: int, *, every: bool = False) -> Mutation:
    start = Passes(path, None, Options()).origin
    bounds = replace(start.setup.bounds, vcpus=(1, 1), loads=1)
    start = start.under(replace(start.setup, bounds=bounds))
    return judge_mutants(start, Asked(CLAIMS, every, jobs), MutantListener())


def _by_words(found: Mutation) -> dict[str, MutantResult]:
    return {r.words: r for r in found.results}


@pytest.mark.parametrize(
    ("words", "claim"),
    [
        ("`ret` becomes `0`", "failure_kept"),
        ("`ret` becomes `1`", "failure_true"),
        ("`ret = 0` becomes `ret`", "no_uninit"),
        ("drop `spin_unlock(&to_kvm_vmx(kvm)->lock);`", "lock_balanced"),
        ("drop `to_vmx(vcpu)->root = root;`", "coverage"),
    ],
)
def test_killed(words: str, claim: str, found: Mutation) -> None:
    """A claim that does not notice the edit which it is about is not worth much."""
    (kill,) = _by_words(found)[words].kills
    assert (kill.claim, kill.vcpus, kill.how) == (claim, 1, How.FAILS)


@pytest.mark.parametrize(
    ("verdict", "n", "calls", "how"),
    [
        (Verdict.BOUNDED, 4, 9, How.FAILS),
        (Verdict.REFUTED, 2, 9, How.SMALLER),
        (Verdict.REFUTED, 3, 3, How.SMALLER),
        (Verdict.REFUTED, 3, 4, None),
        (Verdict.REFUTED, 4, 2, None),
        (Verdict.UNKNOWN, 1, 1, None),
    ],
)
def test_what_counts(verdict: Verdict, n: int, calls: int, how: How | None) -> None:
    """A claim that fails in the original anyway notices only what fails with less."""
    kill = kill_of(Baseline("no_repeat", verdict, 3, 4), Fails(n, calls))
    assert (None if kill is None else kill.how) is how


def test_equal(found: Mutation) -> None:
    """What is the same code, or issues the same hypercalls, is no gap in the claims."""
    assert _by_words(found)["`spare = 2` becomes `spare`"].reason == "the same code"
    assert found.count(Fate.EQUAL) >= 3


def test_counts(found: Mutation) -> None:
    """Every mutant has one fate, and every kill one claim."""
    assert sum(found.count(f) for f in Fate) == len(found.results) > 20
    assert sum(e.kills for e in found.effects) == found.count(Fate.KILLED)
    assert found.exit_code == (1 if found.count(Fate.SURVIVES) else 0)


@pytest.mark.slow
def test_deterministic(found: Mutation) -> None:
    """A report that depends on the number of processes cannot be compared with another."""
    assert _mutated(found.path, jobs=2) == found


@pytest.mark.slow
def test_every_claim(found: Mutation) -> None:
    """With all claims asked, a mutant has all its kills, and the one it had before among them."""
    whole = _mutated(found.path, jobs=1, every=True)
    for one, more in zip(found.results, whole.results, strict=True):
        assert one.fate is more.fate
        assert {k.claim for k in one.kills} <= {k.claim for k in more.kills}
    assert sum(len(r.kills) for r in whole.results) > found.count(Fate.KILLED)


@pytest.mark.slow
def test_command(found: Mutation, capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts read the document and the exit code; people read the text."""
    few = [x for name in ("failure_true", "no_uninit") for x in ("--claim", name)]
    bounds = ["--vcpus", "1", "--loads", "1", "--flushes", "1", "--jobs", "1"]
    code = cli.main(["mutate", found.path, *few, *bounds, "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator(SCHEMA).validate(document)
    assert code == document["exit"] == 1
    survivors = [m for m in document["mutation"]["mutants"] if m["fate"] == "survives"]
    assert "drop `to_vmx(vcpu)->root = root;`" in {m["words"] for m in survivors}
    assert all(m["reason"] for m in survivors)


def test_write(found: Mutation, capsys: pytest.CaptureFixture[str]) -> None:
    """A mutant is C that others can compile and read."""
    number = _by_words(found)["`ret` becomes `0`"].number
    assert cli.main(["mutate", found.path, "--write", str(number)]) == 0
    assert capsys.readouterr().out == SMALL.replace("return ret;", "return 0;")
    assert cli.main(["mutate", found.path, "--write", "999"]) == 2
    assert "there is no mutant 999" in capsys.readouterr().err


# Reports -----------------------------------------------------------------------------------------


def _row(number: int, fate: Fate, **rest: object) -> MutantResult:
    row = MutantResult(
        number, "number", "a.c", "f", 7, "`1` becomes `2`", ("n = 1;",), ("n = 2;",), fate
    )
    return replace(row, **rest)


ROWS = (
    _row(1, Fate.KILLED, kills=(Kill("coverage", 2, 3, How.FAILS),)),
    _row(2, Fate.KILLED, kills=(Kill("no_repeat", 1, 2, How.SMALLER),)),
    _row(3, Fate.EQUAL, reason="the same code"),
    _row(4, Fate.SURVIVES, reason="the old code returns 0", mends=("no_repeat",)),
    _row(5, Fate.UNDECIDED, reason="the solver gave up"),
    _row(6, Fate.INVALID, reason="`x` is not declared"),
)
BASELINE = (Baseline("coverage", Verdict.BOUNDED), Baseline("no_repeat", Verdict.REFUTED, 3, 4))
EFFECTS = (KillCount("coverage", 1, idle=False), KillCount("range_kept", 0, idle=True))
WHOLE = Mutation("a.c", "", "f", (1, 4), 2, 2, False, BASELINE, ROWS, EFFECTS)
TEXT = """\
a.c: f()

  f()
    1      7  `1` becomes `2`                           coverage at 2 vCPUs
    2      7  `1` becomes `2`                  no_repeat at 1 vCPU, earlier
    3      7  `1` becomes `2`                                         equal
    4      7  `1` becomes `2`                                      SURVIVES
    5      7  `1` becomes `2`                                     undecided
    6      7  `1` becomes `2`                                  not accepted

survives  a.c:7: `1` becomes `2`
    - n = 1;
    + n = 2;
  because  the old code returns 0
  mends    no_repeat

undecided  a.c:7: `1` becomes `2`
    - n = 1;
    + n = 2;
  because  the solver gave up

claim       kills   (each mutant counts once)
coverage        1
range_kept      0   idle

  no_repeat fails in the original at 3 vCPUs, 4 operations: only less is a
  kill
  scope    1..4 vCPUs, up to 2 loads each, up to 2 flushes

a.c: 6 mutants: 2 killed, 1 equal, 1 survive, 1 undecided, 1 not accepted
"""


def test_text() -> None:
    """The whole report fits a mail."""
    assert mutate_text.render(WHOLE) == TEXT
    assert all(len(line) <= 75 for line in TEXT.splitlines())


def test_document() -> None:
    """Every fate is one that the schema knows."""
    jsonschema.Draft202012Validator(SCHEMA).validate(
        json.loads(json.dumps(mutate_json.mutation_document(WHOLE)))
    )


@pytest.mark.parametrize(
    ("rows", "code"),
    [(ROWS[:3], 0), (ROWS[3:4], 1), (ROWS[4:5], 3), (ROWS, 1), (ROWS[5:], 0)],
)
def test_exit_codes(rows: tuple[MutantResult, ...], code: int) -> None:
    """Survivors are a finding; what is undecided is never success."""
    assert replace(WHOLE, results=rows).exit_code == code


# The corpus --------------------------------------------------------------------------------------

NO_RANGE = "no claim says that a hypercall covers no more than the range: all of it is right too"
EXPLAINED = {
    "counter_first": {
        "`range` becomes `0`": NO_RANGE,
        "drop `return hyperv_flush_guest_mapping_ra ...`": NO_RANGE,
        "swap `if (range) return hyperv_flush_guest ...` and "
        "`return hyperv_flush_guest_mapping(root);`": NO_RANGE,
    },
    "mismatch_flag": {
        "`range` becomes `0`": NO_RANGE,
        "drop `return hyperv_flush_guest_mapping_ra ...`": NO_RANGE,
        "swap `if (range) return hyperv_flush_guest ...` and "
        "`return hyperv_flush_guest_mapping(ep ...`": NO_RANGE,
    },
    "enum_cached": {
        "`range` becomes `0`": NO_RANGE,
        "drop `return hyperv_flush_guest_mapping_ra ...`": NO_RANGE,
        "swap `if (range) return hyperv_flush_guest ...` and "
        "`return hyperv_flush_guest_mapping(ep ...`": NO_RANGE,
    },
}
"""The edits of the corpus that no claim notices although they are no equals, and why that is so."""


@pytest.mark.slow
@pytest.mark.skipif(not WHOLE_CORPUS, reason="set FLUSHPROOF_MUTATE_CORPUS: three minutes each")
@pytest.mark.parametrize("name", sorted(EXPLAINED))
def test_corpus(name: str) -> None:
    """Every edit of the corpus is noticed, equal, or known not to matter to any claim."""
    start = Passes(str(SPECS / f"{name}.spec"), None, Options()).origin
    claims = tuple(c.name for c in start.setup.claims)
    found = judge_mutants(
        start, Asked(claims, every=False, jobs=os.cpu_count() or 1), MutantListener()
    )
    survivors = {r.words for r in found.results if r.fate is Fate.SURVIVES}
    assert survivors == EXPLAINED[name].keys()
    assert found.count(Fate.UNDECIDED) == found.count(Fate.INVALID) == 0
    assert found.count(Fate.KILLED) >= 60
    assert not any(e.idle for e in found.effects)
