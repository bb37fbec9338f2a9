"""Saved traces: read back as they were written, stepped through, and tried in other variants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flushproof.cli import main as cli
from flushproof.cli.commands.replay import text as replay
from flushproof.cli.terminal import load_sources
from flushproof.features.replay.itf_reader import read_itf
from flushproof.features.replay.retarget import split_into_stretches
from flushproof.frontend.c.load import load_source
from flushproof.ir.types import NONE
from flushproof.pipeline import refute
from flushproof.report import itf
from flushproof.results.saved_trace import Saved, save_trace, trace_files, trace_moments
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.support.record import replace
from flushproof.support.source import Source
from flushproof.verify.options import Options
from support.places import SPECS, TESTS
from support.report_samples import COVERAGE_TRACE, REFUTED, SOURCES, Made, report, result

CASES = {
    "coverage": "enum_status.spec",
    "no_repeat": "vcpu0_first.spec",
    "no_bogus": "mismatch_flag.spec",
    "converges": "enum_status.spec",
    "cache_sound": "enum_status.spec",
    "no_deadlock": "early_return.spec",
    "lock_balanced": "early_return.spec",
    "no_race": "load_unlocked.spec",
}
SAMPLE = save_trace(
    report(result(Verdict.REFUTED, "coverage", Made(expected=REFUTED), COVERAGE_TRACE)),
    result(Verdict.REFUTED, "coverage", Made(expected=REFUTED), COVERAGE_TRACE),
    "",
    SOURCES,
)


def _found(path: Path, claim: str, vcpus: int = 2) -> Saved:
    made = refute(str(path), None, Options(claims=(claim,), vcpus=(1, vcpus)), lambda _: None)
    (found,) = made.results
    assert found.trace is not None, claim
    spec = str(path) if path.suffix == ".spec" else ""
    return save_trace(made, found, spec, load_sources((*trace_files(found.trace), spec)))


@pytest.fixture(scope="module")
def found() -> dict[str, Saved]:
    """Find the counterexamples once."""
    return {claim: _found(SPECS / spec, claim) for claim, spec in CASES.items()}


def _document() -> dict[str, Any]:
    tree = json.loads(itf.render(SAMPLE))
    assert isinstance(tree, dict)
    return tree


def test_read_back_as_written(found: dict[str, Saved]) -> None:
    """Whatever is lost on the way is missing when somebody replays the file."""
    for saved in (SAMPLE, *found.values()):
        assert read_itf(Source("x.itf.json", itf.render(saved))) == saved


def test_a_witness_that_is_no_root_is_read_back() -> None:
    """No root at all is a number beyond those of roots."""
    any_root = _found(SPECS / "load_unlocked.spec", "coverage", vcpus=1)
    recipe = any_root.trace.recipe
    assert recipe is not None
    none = tuple((name, NONE) for name, _ in recipe.witnesses)
    trace = replace(any_root.trace, recipe=replace(recipe, witnesses=none))
    found = replace(any_root, trace=trace)
    assert read_itf(Source("x.itf.json", itf.render(found))) == found


def test_the_form_is_that_of_the_format(found: dict[str, Saved]) -> None:
    """Other readers of the format expect these keys, and a value for each variable."""
    tree = json.loads(itf.render(found["coverage"]))
    assert tree["#meta"]["format"] == "ITF"
    assert tree["params"] == []
    for number, state in enumerate(tree["states"]):
        assert state["#meta"] == {"index": number}
        assert sorted(k for k in state if k != "#meta") == tree["vars"]
        assert set(tree["#meta"]["varTypes"]) == set(tree["vars"])
    assert len(tree["states"]) == len(found["coverage"].trace.steps) + 1


def test_states_follow_the_steps() -> None:
    """A reader relies on who holds the lock and what the fields are after each step."""
    after = trace_moments(SAMPLE.trace)
    assert [sorted(m.holding) for m in after] == [[], [], *[["flusher0"]] * 3, []]
    assert after[-1].fields == {"ept_pointer[1]": "A", "match": "MATCH"}


@pytest.mark.parametrize("claim", CASES)
def test_a_schedule_fails_again_in_its_own_variant(found: dict[str, Saved], claim: str) -> None:
    """If the re-execution lost its way even here, its answers elsewhere would mean nothing."""
    from flushproof.features.replay.other_file import replay_in_other_file
    from flushproof.pipeline import Passes

    path = str(SPECS / CASES[claim])
    answer = replay_in_other_file(
        found[claim], path, lambda p: Passes(p, None, Options()).opened.setup
    )
    assert answer.trace is not None
    assert answer.misfits == ()
    assert answer.trace.headline == found[claim].trace.headline
    assert answer.trace.steps == found[claim].trace.steps


@pytest.fixture
def saved(tmp_path: Path, found: dict[str, Saved]) -> dict[str, str]:
    """Write the traces to files."""
    paths = {}
    for claim, trace in found.items():
        path = tmp_path / f"{claim}.itf.json"
        path.write_text(itf.render(trace), encoding="utf-8")
        paths[claim] = str(path)
    return paths


@pytest.mark.parametrize(
    ("claim", "other", "code", "said"),
    [
        ("coverage", "enum_status.c", 1, "still fails: vCPU1 runs on root A"),
        ("coverage", "mismatch_flag.spec", 0, "does not fail under this schedule"),
        ("no_repeat", "dedup_all.c", 0, "does not fail under this schedule"),
        ("no_bogus", "vcpu0_first.spec", 1, "still fails: a hypercall is issued on 0"),
        ("no_race", "counter_first.c", 0, "does not fail under this schedule"),
    ],
)
def test_elsewhere(
    saved: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    claim: str,
    other: str,
    code: int,
    said: str,
) -> None:
    """Whether a fix covers a counterexample is what a reviewer asks first."""
    assert cli.main(["replay", saved[claim], "--against", str(SPECS / other)]) == code
    assert said in " ".join(capsys.readouterr().out.split())


def test_a_schedule_that_does_not_fit_is_said_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A lock that keeps the threads apart makes the schedule impossible: that is no verdict."""
    trace = _found(SPECS / "load_unlocked.spec", "coverage", vcpus=1)
    path = tmp_path / "t.itf.json"
    path.write_text(itf.render(trace), encoding="utf-8")
    assert cli.main(["replay", str(path), "--against", str(SPECS / "counter_first.c")]) == 3
    out = " ".join(capsys.readouterr().out.split())
    assert "does not fit: as far as it can be followed there, nothing fails" in out
    assert "waits for `ept_pointer_lock`, which another thread holds" in out


def test_stretches_cover_all_events(found: dict[str, Saved]) -> None:
    """An event of a call that no stretch expects later could not hold a thread back."""
    recipe = found["no_deadlock"].trace.recipe
    assert recipe is not None
    listed = list(split_into_stretches(recipe))
    ends = {(s.thread, s.call): s for s in listed}
    assert all(not s.stops for s in ends.values())
    assert any(s.last is not None for s in ends.values())


@pytest.mark.parametrize(
    ("step", "heads"),
    [
        ("0", ["step 0 of 5   boot"]),
        ("2..3", ["step 2 of 5   flusher: lock", "step 3 of 5   flusher: 18: status MATCH"]),
    ],
)
def test_steps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], step: str, heads: list[str]
) -> None:
    """A script asks for the steps that it wants."""
    path = tmp_path / "t.itf.json"
    path.write_text(itf.render(SAMPLE), encoding="utf-8")
    assert cli.main(["replay", str(path), "--step", step]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line for line in out if line.startswith("step ")] == heads


def test_everything_without_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where nobody can press keys, all is shown: the table, then each step."""
    path = tmp_path / "t.itf.json"
    path.write_text(itf.render(SAMPLE), encoding="utf-8")
    assert cli.main(["replay", str(path)]) == 0
    out = capsys.readouterr().out
    assert out.count("step ") >= 6
    assert "\n* match = MATCH" in out or "\n  match = MATCH" in out
    assert "VIOLATION" in out


@pytest.mark.parametrize("step", ["6", "3..2", "-1", "x", "1..6", "9" * 50])
def test_steps_that_are_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], step: str
) -> None:
    """A slip is a usage error that says which steps there are."""
    path = tmp_path / "t.itf.json"
    path.write_text(itf.render(SAMPLE), encoding="utf-8")
    assert cli.main(["replay", str(path), f"--step={step}"]) == 2
    assert "from 0 (boot) to 5" in " ".join(capsys.readouterr().err.split())


def test_width_and_ascii(found: dict[str, Saved]) -> None:
    """The steps go into mails, too."""
    for trace in found.values():
        shown = [replay.render_step(trace, n, 60) for n in range(len(trace.trace.steps) + 1)]
        for line in "".join((replay.render_overview(trace, 60), *shown)).splitlines():
            assert len(line) <= 60
            assert line.isascii()


def _without(tree: dict[str, Any], *way: str) -> dict[str, Any]:
    inner = tree
    for name in way[:-1]:
        inner = inner[name]
    del inner[way[-1]]
    return tree


def _with(tree: dict[str, Any], value: object, *way: str) -> dict[str, Any]:
    inner = tree
    for name in way[:-1]:
        inner = inner[name]
    inner[way[-1]] = value
    return tree


META = ("#meta", "flushproof")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is no JSON"),
        ("[1", "it is no JSON"),
        ("[]", "has no `#meta`"),
        ("[" * 100_000, "it nests too deep"),
        ('{"#meta": 3}', "`#meta` has no `flushproof`"),
        (json.dumps(_without(_document(), "states")), "has no `states`"),
        (json.dumps(_with(_document(), [], "states")), "it has no steps"),
        (json.dumps(_without(_document(), *META, "blame")), "has no `blame`"),
        (json.dumps(_with(_document(), 2, *META, "version")), "it is of version 2, not 1"),
        (json.dumps(_with(_document(), "x", *META, "memory")), "is not one of sc, tso"),
        (json.dumps(_with(_document(), 1e99, *META, "vcpus")), "`#meta.flushproof.vcpus` is no"),
        (json.dumps(_with(_document(), 0, *META, "vcpus")), "no vCPUs"),
    ],
)
def test_files_that_hold_no_trace(text: str, said: str) -> None:
    """Anybody may have written the file; what is wrong is said, without a traceback."""
    with pytest.raises(InputError) as caught:
        read_itf(Source("x.itf.json", text))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.CODE == "FP0901"
    assert said in diagnostic.title


def test_a_trace_without_its_schedule(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It can be looked at, and trying it elsewhere is refused rather than guessed."""
    path = tmp_path / "t.itf.json"
    path.write_text(itf.render(SAMPLE), encoding="utf-8")
    assert read_itf(load_source(str(path))).trace.recipe is None
    assert cli.main(["replay", str(path), "--against", str(SPECS / "enum_status.c")]) == 4
    assert "error[FP0902]" in capsys.readouterr().err


def test_events_of_calls_that_are_not_carried_out() -> None:
    """A call whose role nobody knows is left out, and then its number is that of no call."""
    seed = TESTS / "fuzz" / "seeds" / "no_bogus.itf"
    text = seed.read_text()
    broken = text.replace('"role": "flush"', '"role": "flsh"')
    assert broken != text
    assert read_itf(Source("t.itf", text)).claim == "no_bogus"
    with pytest.raises(InputError, match="speaks of a call that is not there"):
        read_itf(Source("t.itf", broken))
