"""The most hypercalls of one call: the right number, attained by a schedule, and none above it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import pytest

import flushproof
from flushproof.cli import main as cli
from flushproof.cli.commands.compare import text as costs_text
from flushproof.cli.commands.compare.json import costs_document
from flushproof.engines.bounded.engine import Bounded
from flushproof.engines.bounded.maximise import Largest, find_largest_number
from flushproof.engines.explicit.enumerator import Sizes, enumerate_claim
from flushproof.engines.outcome import Undecided
from flushproof.features.cost.decide import measure_costs
from flushproof.features.cost.monitor import MOST, name_of, text_of
from flushproof.frontend.setup import Bounds
from flushproof.frontend.spec.builtin import load_builtin
from flushproof.frontend.spec.parser import parse_spec
from flushproof.frontend.spec.resolve import from_text
from flushproof.machine.build import Machine, build_machine
from flushproof.report.html.page import render_drawing, render_side_by_side
from flushproof.results.costs import Cost, Costs, SideBySide
from flushproof.results.verdict import Verdict
from flushproof.support.errors import InternalError
from flushproof.support.record import replace
from flushproof.support.source import Source
from support.machines import machine_of
from support.places import SPECS
from support.report_samples import COVERAGE_TRACE, SCOPE, SECTION_TRACE, SOURCES, report, result

SCHEMA = Path(flushproof.__file__).parent / "report" / "schema.json"
SMALL = Bounds((1, 2), 1, 2, 1)
TWICE = """\
struct kvm_vmx { struct kvm kvm; u64 unused; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 ept_pointer; };

int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{
	struct kvm_vcpu *vcpu;
	int i, ret = 0;

	kvm_for_each_vcpu(i, vcpu, kvm) {
		if (!VALID_PAGE(to_vmx(vcpu)->ept_pointer))
			continue;
		ret |= hyperv_flush_guest_mapping(to_vmx(vcpu)->ept_pointer);
		ret |= hyperv_flush_guest_mapping(to_vmx(vcpu)->ept_pointer);
		%s
	}
	return ret;
}

void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	to_vmx(vcpu)->ept_pointer = root;
}
"""


def _code(text: str, bounds: Bounds) -> Machine:
    return build_machine(replace(from_text(Source("x.c", text), None), bounds=bounds))


def _costs(machine: Machine, bounds: Bounds) -> Costs:
    return measure_costs(machine.within(bounds), "x.c")


def _table(found: Costs) -> dict[tuple[int, int], int | None]:
    return {(c.vcpus, c.roots): c.most for c in found.cells}


def _enumerated(machine: Machine, bounds: Bounds, vcpus: int, roots: int) -> int:
    """Return what the enumerator finds, by claims in which the number is a constant."""
    number = 0
    while True:
        text = text_of(roots).replace(f"any gfn {MOST};", "").replace(f"< {MOST})", f"<= {number})")
        claim = parse_spec(Source("cost", text), load_builtin().context).claims[0]
        setup = replace(machine.setup, claims=(claim,), bounds=bounds)
        program = replace(machine, setup=setup).with_claims((name_of(roots),))
        sizes = Sizes(vcpus, bounds.loads, bounds.flushes)
        if not enumerate_claim(program, sizes, name_of(roots)).found:
            return number
        number += 1


def _agreed(name: str, bounds: Bounds) -> None:
    found = _costs(machine_of(name), bounds)
    expected = {k: _enumerated(machine_of(name), bounds, *k) for k in ((1, 1), (2, 1), (2, 2))}
    assert _table(found) == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["enum_status", "vcpu0_first", "dedup_all"])
def test_enumerator_agrees(name: str) -> None:
    """Two procedures with nothing in common but the code must find the same numbers."""
    _agreed(name, Bounds((1, 2), 1, 1, 1))


@pytest.mark.skipif("FLUSHPROOF_LONG" not in os.environ, reason="set FLUSHPROOF_LONG=1 for this")
@pytest.mark.parametrize("name", ["enum_status", "vcpu0_first", "flush_unlocked", "dedup_all"])
def test_enumerator_agrees_on_more(name: str) -> None:
    """With two flushes, and where nothing keeps loads out; minutes of work."""
    _agreed(name, SMALL)


@pytest.mark.slow
def test_more_than_needed() -> None:
    """The patch flushes once for each vCPU as soon as there are two roots."""
    found = _costs(machine_of("mismatch_flag"), Bounds((1, 3), 2, 2, 1))
    expected = {(1, 1): 1, (2, 1): 1, (2, 2): 2, (3, 1): 1, (3, 2): 3, (3, 3): 3}
    assert _table(found) == expected
    telling = found.telling
    assert telling is not None
    assert (telling.vcpus, telling.roots, telling.excess) == (3, 2, 1)
    assert telling.trace is not None
    roots = [s.hypercall.root for s in telling.trace.steps if s.hypercall is not None]
    assert sorted(roots) in (["A", "A", "B"], ["A", "B", "B"])


@pytest.mark.slow
def test_no_more_than_needed() -> None:
    """The variant that never repeats a root attains the least possible everywhere."""
    found = _costs(machine_of("dedup_all"), Bounds((1, 3), 1, 1, 1))
    assert all(c.most == c.least for c in found.cells)
    assert found.telling is None


def test_numbers_beyond_every_guess() -> None:
    """Nothing limits the search to one hypercall for each vCPU."""
    found = _costs(_code(TWICE % "", SMALL), SMALL)
    assert _table(found) == {(1, 1): 2, (2, 1): 4, (2, 2): 4}


def test_only_the_second_call_costs() -> None:
    """Short runs are looked at first; what they do not show must still be found."""
    late = TWICE.replace("u64 unused;", "bool seen;").replace(
        "int i, ret = 0;",
        "int i, ret = 0;\n\tif (!to_kvm_vmx(kvm)->seen) {\n\t\tto_kvm_vmx(kvm)->seen = true;\n"
        "\t\treturn 0;\n\t}",
    )
    [cell] = _costs(_code(late % "", SMALL), Bounds((1, 1), 1, 2, 1)).cells
    assert cell.most == 2
    assert cell.trace is not None
    assert cell.trace.smallest == "3 operations; none with fewer"
    [other] = _costs(_code(TWICE % "", SMALL), Bounds((1, 1), 1, 2, 1)).cells
    assert other.trace is not None
    assert other.trace.smallest.endswith("none with fewer where each thread acts at most once")


def test_no_hypercall_at_all() -> None:
    """A call that does nothing costs nothing, and there is nothing to show."""
    idle = TWICE.replace("hyperv_flush_guest_mapping", "(int)!!")
    [cell] = _costs(_code(idle % "", SMALL), Bounds((1, 1), 1, 1, 1)).cells
    assert (cell.most, cell.trace, cell.reason) == (0, None, "")


def test_undefined_behaviour_is_no_number() -> None:
    """Where C says nothing of what happens, nothing can be said of costs."""
    wrong = TWICE % "ret = 1 << (i + 31);"
    found = _costs(_code(wrong, SMALL), Bounds((1, 2), 1, 1, 1))
    assert {c.most for c in found.cells if c.vcpus == 2} == {None}
    assert all(c.reason.startswith("undefined behaviour") for c in found.cells if c.vcpus == 2)
    assert SideBySide((), (found,)).exit_code == 3


def test_out_of_steps() -> None:
    """A solver that may do next to nothing leaves numbers open, and says why."""
    found = measure_costs(machine_of("dedup_all").within(Bounds((1, 2), 1, 1, 1)), "x.c", 1, 9)
    assert None in {c.most for c in found.cells}
    assert all(c.reason for c in found.cells if c.most is None)


def test_schedules_are_counted_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that the replayed schedule does not show is our own mistake, and never printed."""

    def wrong(
        engines: Sequence[Bounded], claim: str, witness: str, vcpus: int, guess: int
    ) -> Largest | Undecided:
        answer = find_largest_number(engines, claim, witness, vcpus, guess)
        assert isinstance(answer, Largest)
        return replace(answer, number=answer.number + 1)

    monkeypatch.setattr("flushproof.features.cost.decide.find_largest_number", wrong)
    with pytest.raises(InternalError, match="1 hypercalls on 1 roots, not 2 on 1"):
        _costs(machine_of("dedup_all"), Bounds((1, 1), 1, 1, 1))


# Reports ---------------------------------------------------------------------------------------

CELLS = (
    Cost(1, 1, 1, COVERAGE_TRACE),
    Cost(2, 1, 2, SECTION_TRACE),
    Cost(2, 2, None, None, "out of steps"),
)
PROVED = result(Verdict.PROVED, "coverage")
REFUTED = result(Verdict.REFUTED, "coverage", trace=COVERAGE_TRACE)
FOUND = SideBySide(
    (report(PROVED, path="<a>&.c"), report(REFUTED, path="b.c")),
    (
        Costs("<a>&.c", CELLS, SCOPE, ("this holds",), 0.25),
        Costs("b.c", CELLS[:1], SCOPE, (), 0.25),
    ),
)

TABLE = """\
hypercalls that one call issues at most
vCPUs   1   2
roots   1   1   2
<a>&.c  1   2*  ?
b.c     1   -   -
least   1   1   2
"""


@pytest.mark.parametrize("width", [40, 60, 75, 120])
def test_text_fits(width: int) -> None:
    """Whatever the width, no line is longer, and the table stays a table."""
    text = costs_text.render(FOUND, width)
    assert max(len(line) for line in text.splitlines()) <= width
    assert text.isascii()
    assert TABLE in text


def test_text_says_all() -> None:
    """The excess is shown with its schedule, what is not known with its reason."""
    words = " ".join(costs_text.render(FOUND).split())
    assert "with 2 vCPUs" in words
    assert SECTION_TRACE.because in words
    assert "VIOLATION" not in words
    assert "<a>&.c: not known: out of steps" in words
    assert "hypercalls succeed or fail at any time" in words
    assert "!" not in words


def test_same_name_in_two_folders() -> None:
    """Two versions of one file must be told apart."""
    first, second = (replace(r, spec="x") for r in FOUND.reports)
    reports = (replace(first, path="a/x.c"), replace(second, path="b/x.c"))
    text = costs_text.render(replace(FOUND, reports=reports))
    assert "\na/x.c  1   2*  ?" in text
    assert "\nb/x.c  1   -   -" in text


def test_many_columns_go_on_below() -> None:
    """With many vCPUs the table is cut, and each part has its own head."""
    cells = tuple(Cost(n, r, r) for n in range(1, 9) for r in range(1, min(n, 4) + 1))
    many = replace(FOUND, costs=tuple(replace(c, cells=cells) for c in FOUND.costs))
    text = costs_text.render(many)
    assert max(len(line) for line in text.splitlines()) <= 75
    assert text.count("\nroots") == 2


def test_json_follows_the_schema() -> None:
    """The document is what the schema says, costs that are not known included."""
    made = costs_document(FOUND)
    jsonschema.validate(made, json.loads(SCHEMA.read_text(encoding="utf-8")))
    assert made["exit"] == 3


def test_page_and_drawing() -> None:
    """Names are text wherever they stand, and each number leads to its schedule."""
    page = render_side_by_side(FOUND, SOURCES)
    assert "<a>" not in page
    assert 'href="#c0-2-1"' in page
    assert 'id="c0-2-1"' in page
    drawn = ET.fromstring(render_drawing(FOUND))
    words = "".join(drawn.itertext())
    assert "<a>&: 1 vCPU, 1 root: at most 1, least 1" in words
    bars = [e for e in drawn.iter() if e.get("class") == "excess"]
    assert len(bars) == 1 + 1


@pytest.mark.slow
def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From files to every form of the report."""
    paths = [str(SPECS / f"{n}.c") for n in ("vcpu0_first", "dedup_all")]
    page, drawn = tmp_path / "x.html", tmp_path / "x.svg"
    bounds = ["--vcpus", "2", "--loads", "1", "--flushes", "1", "--claim", "no_bogus"]
    files = ["--html", str(page), "--svg", str(drawn), "--format", "json", "--no-cache"]
    assert cli.main(["compare", *paths, *bounds, *files]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    made = json.loads(captured.out)
    jsonschema.validate(made, json.loads(SCHEMA.read_text(encoding="utf-8")))
    most = [[c["most"] for c in v["costs"]["cells"]] for v in made["variants"]]
    assert most == [[1, 2, 2], [1, 1, 2]]
    assert [v["claims"][0]["verdict"] for v in made["variants"]] == ["refuted", "bounded"]
    assert "What a call costs" in page.read_text(encoding="utf-8")
    ET.fromstring(drawn.read_text(encoding="utf-8"))


def test_command_complains_first(capsys: pytest.CaptureFixture[str]) -> None:
    """A drawing that cannot be written is told of before anything is decided."""
    assert cli.main(["compare", "no_such.c", "--svg", "no/such/x.svg"]) == 2
    assert "cannot write `no/such/x.svg`" in capsys.readouterr().err
    assert cli.main(["compare", "no_such.c"]) == 2
    assert "no_such.c" in capsys.readouterr().err
