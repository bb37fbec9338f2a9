"""`--agree cvc5`: what a second solver says to each question, and what becomes of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import pytest

from flushproof.cli import main as cli
from flushproof.engines.second import cvc5_query as second
from flushproof.engines.second import second_solver
from flushproof.engines.second.cvc5_query import (
    NotAccepted,
    Reply,
    SolverAnswer,
    SolverLimits,
    ask_cvc5,
)
from flushproof.support.resources import HERE, SPECS

FILE = str(SPECS / "counter_first.c")
SMALL = ("--vcpus", "1", "--jobs", "1", "--no-cache", "--agree", "cvc5")
Outcome = tuple[int, str, str]


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Outcome:
    code = cli.main(arguments)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def _prove(capsys: pytest.CaptureFixture[str], claim: str, *more: str) -> Outcome:
    return _run(capsys, "prove", FILE, "--claim", claim, *SMALL, *more)


def test_both_solvers_agree(capsys: pytest.CaptureFixture[str]) -> None:
    """Behind a proof two questions are asked, of the claim and of undefined behaviour."""
    code, out, _ = _prove(capsys, "coverage", "--format", "json")
    document = json.loads(out)
    schema = json.loads((HERE / "report" / "schema.json").read_text())
    jsonschema.validate(document, schema)
    (claim,) = document["claims"]
    said = claim["second_opinion"]
    assert code == 0
    assert (said["questions"], said["agreed"], said["reason"]) == (2, 2, None)


def test_a_counterexample_is_agreed_on(capsys: pytest.CaptureFixture[str]) -> None:
    """The line stands beside that of the interpreter."""
    code, out, _ = _run(capsys, "refute", FILE, "--claim", "no_bogus", *SMALL)
    assert code == 0
    assert re.search(r"^  second   agreed cvc5 1\.", out, re.MULTILINE)


def test_disagreement(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Two answers are no verdict: exit 70, both answers, and the very question in a file."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(
        second_solver, "ask_cvc5", lambda _script, _limits: Reply((SolverAnswer.SAT,))
    )
    code, out, err = _prove(capsys, "coverage")
    (kept,) = tmp_path.glob("flushproof-*.smt2")
    assert (code, out) == (70, "")
    assert "`coverage` with 1 vCPUs: z3 answers `unsat`, cvc5" in err
    assert "answers `sat`" in err
    assert str(kept) in err
    text = kept.read_text()
    assert text.startswith("; `coverage` with 1 vCPUs: z3 answers `unsat`")
    assert ask_cvc5(text).answers == (SolverAnswer.UNSAT,)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply((SolverAnswer.UNKNOWN,), "steps ran out"), "steps ran out"),
        (Reply((), "the solver stopped with -11"), "stopped with -11"),
    ],
)
def test_no_answer_is_no_agreement(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, reply: Reply, said: str
) -> None:
    """The verdict stands, and it is said that nobody else confirmed it."""
    monkeypatch.setattr(second_solver, "ask_cvc5", lambda _script, _limits: reply)
    code, out, _ = _prove(capsys, "coverage")
    assert code == 0
    assert "agreed" not in out
    assert re.search(r"coverage, no second opinion by cvc5 1\.[\d.]+\n", out)
    assert re.search(r"^  silent +cvc5", out, re.MULTILINE)
    assert said in out


def test_what_is_not_accepted_is_no_agreement(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question outside the other solver's language is a missing opinion, too."""

    def refuse(_script: str, _limits: SolverLimits) -> Reply:
        raise NotAccepted("what is `foo`?")

    monkeypatch.setattr(second_solver, "ask_cvc5", refuse)
    found = second_solver.Second().on("(check-sat) (check-sat)", SolverAnswer.UNSAT, "it")
    assert (found.asked, found.agreed) == (2, 0)
    assert "`foo`" in found.reason


def test_not_installed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Asking for an opinion nobody can give is wrong usage."""
    monkeypatch.setattr(second, "find_spec", lambda _: None)
    code, out, err = _prove(capsys, "coverage")
    assert (code, out) == (2, "")
    assert "cvc5 is not installed" in err
    assert "pip install 'flushproof[cvc5]'" in err


def test_an_engine_without_questions(capsys: pytest.CaptureFixture[str]) -> None:
    """The enumerator asks no solver, so that agreement would mean nothing."""
    code, _, err = _prove(capsys, "coverage", "--engine", "enumerate")
    assert code == 2
    assert "wants an engine" in err


@pytest.mark.sample(every=3)
@pytest.mark.parametrize("name", ["flush_unlocked", "rwlock_walk", "enum_status"])
def test_the_other_solver_reads_every_question(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Roots that are vectors, counters and locks: all in words of the standard."""
    path = str(SPECS / f"{name}.spec")
    _, out, _ = _run(capsys, "check", path, *SMALL, "--claim", "coverage", "--format", "json")
    claims = json.loads(out)["reports"][0]["claims"]
    assert all(c["second_opinion"]["questions"] for c in claims)
    assert all(c["second_opinion"]["reason"] is None for c in claims)
