"""Expectations decided one by one are as those that are decided together."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.results.verdict import ClaimResult, Verdict
from flushproof.runner.expectations import ExpectationChecker
from flushproof.support.diagnostics import InputError
from flushproof.support.record import replace
from flushproof.verify.options import Options
from flushproof.verify.unbounded_proofs import DefinedCode, ForAll
from support.places import SPECS

CLAIMS = ("failure_kept", "no_uninit")
SPEC = str(SPECS / "vcpu0_first.spec")


def _untimed(result: ClaimResult) -> ClaimResult:
    return replace(result, seconds=0)


def test_they_share_what_they_rest_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code's own proof would be found once more for each; verdicts may not depend on that."""
    found: list[object] = []
    prove_defined = ForAll._prove_defined

    def counted(forall: ForAll) -> object:
        found.append(prove_defined(forall))
        return found[-1]

    monkeypatch.setattr(ForAll, "_prove_defined", counted)
    checker = ExpectationChecker(SPEC)
    alone = [checker.check(name).results[0] for name in CLAIMS]
    assert len(found) == 1
    assert isinstance(found[0], DefinedCode)
    together = pipeline.check(SPEC, None, Options(claims=CLAIMS), lambda _: None)
    assert [_untimed(r) for r in alone] == [_untimed(r) for r in together.results]
    assert all(r.verdict is Verdict.PROVED for r in alone)


def test_what_is_not_there_is_refused() -> None:
    """A claim that is gone from the file would be decided against nothing."""
    with pytest.raises(InputError, match="there is no claim"):
        ExpectationChecker(SPEC).check("no_such")


def test_files_that_are_refused_are_so_each_time(tmp_path: Path) -> None:
    """The first item would fail, and the others pass."""
    broken = tmp_path / "broken.spec"
    broken.write_text(Path(SPEC).read_text(encoding="utf-8"), encoding="utf-8")
    checker = ExpectationChecker(str(broken))
    for _ in range(2):
        with pytest.raises(InputError, match=r"vcpu0_first\.c"):
            checker.check("coverage")
