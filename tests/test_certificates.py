"""Certificates: written by `prove`, decided anew by `recheck`, which trusts nothing in them."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from flushproof import __version__
from flushproof.cli.main import main
from flushproof.support.record import replace
from flushproof.verify.certificate.certificate_file import read_certificate, seal_certificate
from flushproof.verify.certificate.files_read import ReadWith
from flushproof.verify.certificate.head import Head
from flushproof.verify.certificate.proof_blocks import CODE, END, claim_title
from support.certificate_files import body
from support.places import SPECS

SOURCE = str(SPECS / "vcpu0_first.c")
EMPTY = '{"cuts": [], "cases": []}'
OPPOSITE = {"==": "!=", "!=": "==", "<=": ">", ">": "<=", "<": ">=", ">=": "<"}
CLAIMS = ("--claim", "no_race", "--claim", "failure_kept")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the certificate of two claims about one variant."""
    out = tmp_path_factory.mktemp("certificate") / "out.txt"
    assert main(["prove", SOURCE, *CLAIMS, "--jobs", "1", "--certificate", str(out)]) == 0
    return out


def test_every_proof_is_confirmed(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A proof that cannot be confirmed from its text is none; both claims are in it.

    Guards Lemma L31 of docs/soundness.md.
    """
    solvers = ["z3"] + (["cvc5"] if find_spec("cvc5") else [])
    options = [x for s in solvers for x in ("--solver", s)]
    arguments = ["recheck", str(written), "--against", SOURCE, "--format", "json", *options]
    assert main(arguments) == 0
    said = json.loads(capsys.readouterr().out)["solvers"]
    assert len(said) == len(solvers)
    for found in said:
        assert [c["claim"] for c in found["claims"]] == list(CLAIMS[1::2])
        assert all(c["confirmed"] and c["questions"] > 20 for c in found["claims"])


def _facts(text: str) -> list[int]:
    """Return the lines that are facts of the first claim's invariant between and in calls."""
    lines = text.split("\n")
    start = next(k for k, x in enumerate(lines) if x.startswith("; claim: "))
    start = next(k for k in range(start, len(lines)) if _begins_cases(lines[k]))
    stop = next(k for k in range(start, len(lines)) if lines[k].startswith(";"))
    return [k for k in range(start, stop) if re.fullmatch(r' +"[^"]*(==|!=|<|>)[^"]*",?', lines[k])]


def _begins_cases(line: str) -> bool:
    """Tell whether the cases of a proof begin at a line."""
    return line.startswith(' "cases"')


@pytest.mark.slow
def test_an_invariant_without_a_conjunct_is_refused(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fact that is turned into its opposite is found out, whatever the digests say.

    The digests are those of the broken text, so that it is the checker that refuses it.

    Guards Lemma L22 of docs/soundness.md.
    """
    head, text = read_certificate(str(written)).head, body(written)
    lines = text.split("\n")
    facts = _facts(text)
    assert len(facts) > 3
    for number in facts[:: max(1, len(facts) // 6)]:
        broken = tmp_path / f"without_{number}.txt"
        edited = re.sub(r"==|!=|<=|>=|<|>", lambda m: OPPOSITE[m[0]], lines[number])
        changed = (edited if k == number else x for k, x in enumerate(lines))
        broken.write_text(seal_certificate(head, "\n".join(changed)))
        arguments = ["recheck", str(broken), "--solver", "z3", "--against", SOURCE]
        assert main(arguments) == 1, lines[number]
        assert "no proof: " in capsys.readouterr().out


def test_a_claim_that_there_is_not(
    written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under right digests a certificate may name any claim: that is an answer, and no accident."""
    head, text = read_certificate(str(written)).head, body(written)
    claims = tuple(replace(c, name=c.name.replace(CLAIMS[1], "no such")) for c in head.claims)
    foreign = tmp_path / "foreign.txt"
    renamed = text.replace(claim_title(CLAIMS[1]), claim_title("no such"))
    foreign.write_text(seal_certificate(replace(head, claims=claims), renamed))
    assert main(["recheck", str(foreign), "--solver", "z3", "--against", SOURCE]) == 1
    assert "no such: no proof: there is no such claim" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("(set-logic ALL)\n(check-sat)", "it belongs to no claim"),
        ("", "claims nothing"),
        (f"{CODE}\n{EMPTY}", "claims nothing"),
        (f'; claim: "a"\n{EMPTY}', "the code itself comes first"),
        (f"{CODE}\n{EMPTY}\n; claim: a\n{EMPTY}", "a claim is named"),
        (f"{CODE}\n[", "this is no proof"),
        (f"{CODE}\n{'[' * 100_000}", "this is no proof"),
        (f'{CODE}\n{{"cuts": [], "cases": [], "more": 1}}', "this is no proof"),
        (f'{CODE}\n{{"cuts": [], "cases": [], "values": [{{"field": "x", "fact": "("}}]}}', "`"),
    ],
)
def test_what_is_no_certificate_is_not_looked_at(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file from elsewhere is refused at its place."""
    file = tmp_path / "other.txt"
    head = Head(__version__, "a.c", "", ReadWith(), (), ())
    file.write_text(seal_certificate(head, f"{text}\n{END}\n"), newline="")
    assert main(["recheck", str(file), "--against", SOURCE]) == 4
    assert says in " ".join(capsys.readouterr().err.split())


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
