"""Code that is not there as nobody defines what a condition asks for: that is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.results.verdict import Verdict
from kernel.forms import Form
from kernel.test_writes import verdict_of

SKIP = "vm->skip = true;"
OTHER = "void f(struct vcpu_vmx *v)\n{\n\tv->hv_tlb_pgd = 0;\n}\n"
NEEDED = {
    "an option": Form(f"\n#ifdef CONFIG_FOO\n{SKIP}\n#endif\n"),
    "a number": Form(f"\n#if CONFIG_FOO > 2\n{SKIP}\n#endif\n"),
    "an option that is enabled": Form(f"\n#if IS_ENABLED(CONFIG_FOO)\n{SKIP}\n#endif\n"),
    "an option in code": Form(f"if (IS_ENABLED(CONFIG_FOO)) {SKIP}"),
    "where it is not": Form(f"\n#ifndef CONFIG_FOO\n#else\n{SKIP}\n#endif\n"),
    "within another": Form(f"\n#ifdef CONFIG_FOO\n#if 1\n{SKIP}\n#endif\n#endif\n"),
    "in another function": Form("", after=f"#ifdef CONFIG_FOO\n{OTHER}#endif\n"),
}
NOT_NEEDED = {
    "known": Form("\n#if BITS_PER_LONG != 64\nvm->skip = true;\n#endif\n"),
    "never": Form("\n#if 0\nvm->skip = true;\n#endif\n"),
    "about something else": Form("", after="#ifdef CONFIG_FOO\nint elsewhere;\n#endif\n"),
}
TOLD = "CONFIG_FOO is no macro, and what needs it is left out"


@pytest.mark.sample("an option in code", "in another function")
@pytest.mark.parametrize("name", NEEDED)
def test_what_is_left_out_is_told(name: str, tmp_path: Path) -> None:
    """Whoever builds with the option would take the proof for one of the code that is built."""
    verdict, assumptions = verdict_of(NEEDED[name].text, tmp_path)
    assert verdict == Verdict.PROVED.value
    assert TOLD in assumptions


@pytest.mark.sample("known")
@pytest.mark.parametrize("name", NOT_NEEDED)
def test_nothing_else_is_told(name: str, tmp_path: Path) -> None:
    """A list of all that a kernel asks for would hide what matters."""
    verdict, assumptions = verdict_of(NOT_NEEDED[name].text, tmp_path)
    assert verdict == Verdict.PROVED.value
    assert not any("no macro" in a for a in assumptions)
