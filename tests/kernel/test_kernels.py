"""Verdicts on the files of two kernels as they stand, fetched by `fetch.py`."""

from __future__ import annotations

import pytest

from flushproof import pipeline
from flushproof.results.verdict import Verdict
from flushproof.support.files import Disk, use_files
from flushproof.verify.options import Options, Sanity
from kernel.fetch import VERSIONS, folder

FAST_SIBLING = "tests/kernel/test_trees.py"
FILES = ("kvm_onhyperv.c", "vmx/vmx.c", "svm/svm.c")
PROVED = (
    *("coverage", "no_bogus", "no_wasted", "failure_kept", "failure_true"),
    *("converges", "cache_sound", "range_kept", "lock_balanced"),
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("version", "name"),
    [(VERSIONS[0], FILES[1]), (VERSIONS[-1], FILES[0]), (VERSIONS[-1], FILES[2])],
)
def test_kernel(version: str, name: str) -> None:
    """Each claim holds for every number of vCPUs but one: a root may be flushed twice.

    Whether a proved claim could fail is asked of one of the files.
    """
    path = folder() / version / "arch" / "x86" / "kvm" / name
    if not path.is_file():
        pytest.skip(f"kernel {version} is not there: run `python -m kernel.fetch` in tests")
    sanity = None if name == FILES[0] else Sanity.OFF
    options = Options(claims=(*PROVED, "no_repeat"), sanity=sanity)
    report = pipeline.prove(str(path), None, options, lambda _: None)
    verdicts = {r.claim: r.verdict for r in report.results}
    assert verdicts == {**dict.fromkeys(PROVED, Verdict.PROVED), "no_repeat": Verdict.REFUTED}
    assert report.results[-1].smallest_vcpus == 3
    assert {r.scope.vcpus for r in report.results[:-1]} == {None}


class _Uncreated(Disk):
    """The files of this machine, with nothing that sets the roots in `x86.c`."""

    def read(self, path: str, limit: int) -> bytes:
        """Return what the file begins with."""
        data = super().read(path, limit)
        if not path.endswith("x86.c"):
            return data
        return b"".join(x for x in data.splitlines(True) if b"hv_root_tdp = INVALID_PAGE" not in x)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
def test_roots_that_nobody_sets(version: str) -> None:
    """Where creation is at hand and sets no root, roots are zero, which is a page."""
    path = folder() / version / "arch" / "x86" / "kvm" / FILES[0]
    if not path.is_file():
        pytest.skip(f"kernel {version} is not there: run tests/kernel/fetch.py")
    options = Options(vcpus=(1, 1), claims=("no_bogus",), sanity=Sanity.OFF, jobs=1)
    with use_files(_Uncreated()):
        (result,) = pipeline.prove(str(path), None, options, lambda _: None).results
    assert (result.verdict, result.smallest_vcpus) == (Verdict.REFUTED, 1)
    assert "kvm_arch_vcpu_create() leaves kvm_vcpu_arch.hv_root_tdp zero" in result.assumptions
