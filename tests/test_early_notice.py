"""What is told of a claim before it is decided: never more than is known by then."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.results.verdict import EarlyVerdict, Report, Verdict
from flushproof.verify.options import Options
from flushproof.verify.progress import NOTE, Board, Listener
from support.places import SPECS

VARIANT = (SPECS / "counter_first.c").read_text(encoding="utf-8")
SPEC = (SPECS / "counter_first.spec").read_text(encoding="utf-8")


class _Kept(Board):
    """A board that keeps what was put up, and None for each time it was taken down."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[EarlyVerdict | None] = []

    def note(self, claim: int, early: EarlyVerdict | None) -> None:
        super().note(claim, early)
        self.kept.append(early)
        assert self.early == (() if early is None else (early,))


def _prove(path: Path | str, options: Options) -> tuple[Report, list[EarlyVerdict | None]]:
    board = _Kept()
    listener = Listener(lambda _: None, lambda _: None, board)
    return pipeline.prove(str(path), None, options, listener), board.kept


def _options(claim: str, **more: object) -> Options:
    return Options(claims=(claim,), jobs=1, **more)  # type: ignore[arg-type]


def test_told_while_a_proof_is_looked_for() -> None:
    """A scope of more vCPUs than were looked at would be a verdict that nobody found."""
    report, kept = _prove(SPECS / "counter_first.c", _options("coverage"))
    assert report.results[0].verdict is Verdict.PROVED
    first = kept[0]
    assert first is not None
    assert first.proving
    assert first.scope.vcpus == (1, 2)
    assert (first.scope.loads, first.scope.flushes, first.scope.flushers) == (2, 2, 1)
    assert first.assumptions == report.results[0].assumptions
    assert kept[-1] is None


def test_nothing_is_told_of_what_fails() -> None:
    """A claim that fails with two vCPUs would be said to hold with them."""
    report, kept = _prove(SPECS / "enum_status.c", _options("coverage"))
    assert report.results[0].verdict is Verdict.REFUTED
    assert all(early is None or early.scope.vcpus == (1, 1) for early in kept)


def test_nothing_is_told_of_undefined_code(tmp_path: Path) -> None:
    """What is decided of code that does something undefined means nothing."""
    path = tmp_path / "v.c"
    body = VARIANT.replace("int ret = 0, nr_roots, i;", "int ret = 0, nr_roots, i, bad = 1 / ret;")
    assert body != VARIANT
    path.write_text(body, encoding="utf-8")
    (tmp_path / "v.spec").write_text(SPEC.replace("counter_first", "v"), encoding="utf-8")
    report, kept = _prove(path, _options("coverage"))
    assert report.results[0].verdict is Verdict.UNKNOWN
    assert set(kept) == {None}


def test_what_is_too_long_is_not_cut() -> None:
    """A note that does not fit would be shown in part, or break that of another claim."""
    board = Board()
    report, kept = _prove(SPECS / "counter_first.c", _options("coverage", vcpus=(1, 1)))
    assert report.results[0].verdict is Verdict.BOUNDED
    early = kept[0]
    assert early is not None
    assert early.scope.vcpus == (1, 1)
    assert not early.proving
    board.note(0, early)
    board.note(1, EarlyVerdict("x" * NOTE, early.scope, (), 0.0, proving=True))
    assert board.early == (early,)
    with pytest.raises(AttributeError):
        early.claim = "other"  # type: ignore[misc]
