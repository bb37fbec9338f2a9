"""Verdicts on the files of two kernels as they stand, fetched by `fetch.py`."""

from __future__ import annotations

import pytest

from flushproof import pipeline
from flushproof.config import Options
from flushproof.verdict import Verdict
from kernel.fetch import VERSIONS, folder

FILES = ("kvm_onhyperv.c", "vmx/vmx.c", "svm/svm.c")
PROVED = (
    *("coverage", "no_bogus", "no_wasted", "failure_kept", "failure_true"),
    *("converges", "cache_sound", "range_kept", "lock_balanced"),
)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("version", VERSIONS)
def test_kernel(version: str, name: str) -> None:
    """Each claim holds for every number of vCPUs but one: a root may be flushed twice."""
    path = folder() / version / "arch" / "x86" / "kvm" / name
    if not path.is_file():
        pytest.skip(f"kernel {version} is not there: run `python -m kernel.fetch` in tests")
    options = Options(claims=(*PROVED, "no_repeat"))
    report = pipeline.prove(str(path), None, options, lambda _: None)
    verdicts = {r.claim: r.verdict for r in report.results}
    assert verdicts == {**dict.fromkeys(PROVED, Verdict.PROVED), "no_repeat": Verdict.REFUTED}
    assert report.results[-1].smallest_vcpus == 3
    assert {r.scope.vcpus for r in report.results[:-1]} == {None}
