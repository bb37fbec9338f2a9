"""Certificates: written by `prove`, asked again by `recheck`, which trusts nothing in them."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from flushproof import __version__
from flushproof.cli.main import main
from flushproof.verify.certificate.certificate_file import read_certificate, seal_certificate
from flushproof.verify.certificate.head import Head, ProvedClaim
from flushproof.verify.certificate.questions import question_title
from support.certificate_files import body
from support.places import SPECS

CLAIMS = ("--claim", "cache_sound", "--claim", "failure_kept")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the certificate of two claims about one variant."""
    out = tmp_path_factory.mktemp("certificate") / "out.smt2"
    source = str(SPECS / "counter_first.c")
    assert main(["prove", source, *CLAIMS, "--jobs", "1", "--certificate", str(out)]) == 0
    return out


def test_every_question_is_answered_as_it_should_be(
    written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A proof that cannot be confirmed from its text is none; both claims are in it."""
    solvers = ["z3"] + (["cvc5"] if find_spec("cvc5") else [])
    options = [x for s in solvers for x in ("--solver", s)]
    assert main(["recheck", str(written), "--format", "json", *options]) == 0
    said = json.loads(capsys.readouterr().out)["solvers"]
    asked = written.read_text().count("(check-sat)")
    assert [(s["questions"], s["unsat"]) for s in said] == [(asked, asked)] * len(solvers)
    assert '; claim: "cache_sound"' in written.read_text()
    assert '; claim: "failure_kept"' in written.read_text()


def _lemmas(text: str) -> list[int]:
    """Return the lines that are lemmas of the first claim's invariants."""
    lines = text.split("\n")
    start = next(k for k, x in enumerate(lines) if x.startswith("; the claim"))
    stop = next(k for k, x in enumerate(lines) if x == '; claim: "failure_kept"')
    found: list[int] = []
    for k in range(start, stop):
        if lines[k].startswith("(define-fun inv"):
            found += range(k + 1, lines.index("))", k))
    return found


def test_an_invariant_without_a_conjunct_is_refused(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every lemma that is printed is needed: without it some question is answered `sat`.

    The digests are those of the broken text, so that it is the solver that refuses it.

    Guards Lemma L22 of docs/soundness.md.
    """
    head, text = read_certificate(str(written)).head, body(written)
    lines = text.split("\n")
    lemmas = _lemmas(text)
    assert len(lemmas) > 3
    for number in lemmas[:: max(1, len(lemmas) // 6)]:
        broken = tmp_path / f"without_{number}.smt2"
        broken.write_text(
            seal_certificate(head, "\n".join(x for k, x in enumerate(lines) if k != number))
        )
        assert main(["recheck", str(broken), "--solver", "z3"]) == 1, lines[number]
        assert "the proof has a gap" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('(set-logic ALL)\n(set-option :regular-output-channel "x")', "`set-option` cannot"),
        ("(check-sat)\n (get-model)", ":11:3"),
        ("(assert true)", "asks nothing"),
        ("(check-sat", "`(` has no counterpart"),
        ("(check-sat))", "`)` has no counterpart"),
        ("check-sat", "`check-sat` cannot"),
        ("; (check-sat)", "asks nothing"),
        ("(declare-const |a\\| Int)", "`|` has no counterpart"),
        ("(declare-const |a\nb| Int)", "`|` has no counterpart"),
        ('(assert (= 1 ")) (check-sat)', '`"` has no counterpart'),
        ("(assert \\a) (check-sat)", "`\\` has no counterpart"),
        ("; a\r(exit)\n(check-sat)", "`exit` cannot"),
    ],
)
def test_what_is_no_certificate_is_not_run(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file from elsewhere could have a solver write files, or pass for a proof."""
    file = tmp_path / "other.smt2"
    file.write_text(seal_certificate(Head(__version__, "a.c", "", (), ()), text), newline="")
    assert main(["recheck", str(file)]) == 4
    assert says in capsys.readouterr().err


HIDDEN = (
    "(declare-const |a\\| Int) (assert (= 1 | Int) {command} (declare-const | 1)) (check-sat)\n",
    "(set-info :status |) {command} (declare-const |)\n(check-sat)\n",
)
"""Commands that are in a name for one who reads by SMT-LIB's rules, and were run by z3."""


@pytest.mark.parametrize("text", HIDDEN)
def test_a_command_cannot_hide_from_the_check_in_a_name(text: str, tmp_path: Path) -> None:
    """z3 goes on after a backslash in a name, and what is cut out for it must be a whole line."""
    out, file = tmp_path / "out.txt", tmp_path / "other.smt2"
    command = f'(set-option :regular-output-channel "{out}")'
    script = f"{question_title('a')}\n(set-logic ALL)\n{text.format(command=command)}"
    head = Head(__version__, "a.c", "", (ProvedClaim("a", "", (), 1),), ())
    file.write_text(seal_certificate(head, script))
    assert main(["recheck", str(file), "--solver", "z3"]) in {3, 4}
    assert not out.exists()


def test_a_file_that_is_no_certificate_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip on the command line must not cost a source."""
    precious = tmp_path / "vmx.c"
    precious.write_text("int x;\n")
    source = str(SPECS / "counter_first.c")
    assert main(["prove", source, *CLAIMS, "--certificate", str(precious)]) == 2
    assert precious.read_text() == "int x;\n"
    assert "does not begin with" in " ".join(capsys.readouterr().err.split())


@pytest.mark.slow
def test_the_invariant_is_shown_in_terms_of_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    """A reviewer reads fields and lines, not the solver's names."""
    source = str(SPECS / "counter_first.c")
    claims = ("--claim", "cache_sound", "--jobs", "1")
    assert main(["prove", source, *claims, "--show-invariant"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"between calls:\n(.*\n)*?.*hv_tlb_pgd == INVALID_PAGE", text)
    assert "|" not in text.replace("||", "")
