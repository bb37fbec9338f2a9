"""Expectations of spec files one by one, as pytest asks for them."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from flushproof.frontend.c.load import load_source
from flushproof.frontend.spec import syntax as s
from flushproof.results.verdict import Report
from flushproof.runner.jobs import Task
from flushproof.runner.run import run_tasks
from flushproof.support.record import replace
from flushproof.verify.options import LOCAL, Options

if TYPE_CHECKING:
    from flushproof.features.verdicts.decide_file import FileDecider
    from flushproof.pipeline import Passes


class ExpectationChecker:
    """Decides the expectations of one spec file one by one; what they share is found once.

    The file is read when it is first asked about. Verdicts that are kept, or found elsewhere, are
    those of `flushproof check`.
    """

    def __init__(self, spec_path: str, options: Options | None = None) -> None:
        self.path = spec_path
        self.options = replace(options or Options(), jobs=1)

    def check(self, claim: str) -> Report:
        """Decide one expectation.

        Raises:
            InputError: the file is not accepted.
        """
        asked = replace(self.options, claims=(claim,))
        sweeping = asked.sweeping
        if sweeping.cache is not None or sweeping.executor != LOCAL:
            return run_tasks((Task("check", self.path, None, asked),), lambda _: None)[0]
        from flushproof.verify.set_up import select_expected_claims

        claims = select_expected_claims(self._passes.setup, asked)
        return self._decider.decide(claims, lambda _: None)

    @cached_property
    def _passes(self) -> Passes:
        from flushproof.pipeline import Passes

        return Passes(self.path, None, self.options)

    @cached_property
    def _decider(self) -> FileDecider:
        return self._passes.decider("check")


def read_expectations(spec_path: str) -> tuple[tuple[str, str, int], ...]:
    """Return the expectations of a spec file as (claim, verdict, line); it is only parsed."""
    from flushproof.frontend.spec.resolve import only_spec

    spec, _ = only_spec(load_source(spec_path))
    return tuple((e.claim, _expected_text(e), e.span.line) for e in spec.expectations)


def _expected_text(stated: s.Expectation) -> str:
    every = " for every" if stated.every_number else ""
    return (
        f"{stated.verdict}{every}"
        if stated.vcpus is None
        else f"{stated.verdict} at {stated.vcpus}"
    )
