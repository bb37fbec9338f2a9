"""Every claim before and after each change of a patch, and the two versions compared."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from flushproof.features.nfc.compare_setups import compare_setups
from flushproof.features.review.changes import from_patch
from flushproof.features.review.decide import Means, review
from flushproof.features.review.git import from_git
from flushproof.features.verdicts.decide_file import report_claims
from flushproof.frontend.setup import Setup
from flushproof.frontend.spec.resolve import from_text
from flushproof.machine.build import build_machine
from flushproof.results.comparison import Comparison, Since
from flushproof.results.review import Review, TextVersion
from flushproof.results.verdict import Report
from flushproof.support.files import current_files, use_files
from flushproof.verify.open_input import open_text
from flushproof.verify.options import Comparing, Options, Reviewing
from flushproof.verify.portfolio import Question
from flushproof.verify.set_up import configure_setup, select_claims

OnReport = Callable[[Report], None]


def review_patch(
    reviewing: Reviewing, spec: str | None, options: Options, done: OnReport
) -> Review:
    """Decide every claim before and after each change of a patch, and compare.

    Raises:
        InputError: the patch, or some version of the file, is not accepted.
    """
    if reviewing.git:
        changes = from_git(reviewing.git, reviewing.base)
    else:
        changes = from_patch(reviewing.patch, reviewing.base, reviewing.path)

    def opened(version: TextVersion) -> Setup:
        with use_files(version.files(current_files())):
            place = Path(version.path)
            if spec is not None:
                return from_text(version.source, spec, place)
            return open_text(version.source, place, options.choices).setup

    def decide_text(version: TextVersion) -> Report:
        setup = configure_setup(opened(version), options)
        claims = select_claims(setup, options)
        jobs = options.processes
        question = Question(claims, setup.bounds, jobs=jobs, steps=options.steps)
        name = version.source.name
        report = report_claims(name, build_machine(setup), question, lambda r: r, lambda _: None)
        done(report)
        return report

    def compare_texts(old: TextVersion, new: TextVersion, since: Since) -> Comparison:
        first, second = (opened(v) for v in (old, new))
        return compare_setups(first, second, options, Comparing(since=since))

    return review(reviewing.git or reviewing.patch, changes, Means(decide_text, compare_texts))
