"""Expectations of spec files one by one, as pytest asks for them."""

from __future__ import annotations

from flushproof.frontend.c.load import load_source
from flushproof.frontend.spec import syntax as s
from flushproof.results.verdict import Report
from flushproof.runner.jobs import Task
from flushproof.runner.run import run_tasks
from flushproof.support.record import replace
from flushproof.verify.options import Options


def check_claim(spec_path: str, claim: str, options: Options | None = None) -> Report:
    """Decide one expectation of a spec file.

    Raises:
        InputError: the file is not accepted.
    """
    asked = replace(options or Options(), claims=(claim,), jobs=1)
    return run_tasks((Task("check", spec_path, None, asked),), lambda _: None)[0]


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
