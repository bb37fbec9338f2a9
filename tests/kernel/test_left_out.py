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


INLINE = "static inline void mark(struct kvm_vmx *v)\n{\n%s\n}\n"
HEADERS = {
    "a macro": ("mark(vm);", "#define mark(v) ((v)->skip = true)\n"),
    "a macro of a harmless name": ("trace_x(vm);", "#define trace_x(v) ((v)->skip = true)\n"),
    "a macro of a known name": ("pr_debug(vm);", "#define pr_debug(v) ((v)->skip = true)\n"),
    "a macro of a macro": (
        "trace_x(vm);",
        "#define set(v) ((v)->skip = true)\n#define trace_x(v) set(v)\n",
    ),
    "a condition of the compiler's": (
        "mark(vm);",
        INLINE % "#if __GNUC__ > 3\n\tv->skip = true;\n#endif",
    ),
}


@pytest.mark.sample("a macro of a harmless name")
@pytest.mark.parametrize("name", HEADERS)
def test_a_header_that_stores(name: str, tmp_path: Path) -> None:
    """A macro of another file is not expanded, so what it stores would be dropped."""
    writes, header = HEADERS[name]
    (tmp_path / "own.h").write_text(header)
    verdict, _ = verdict_of(f'#include "own.h"\n{Form(writes).text}', tmp_path)
    assert verdict.startswith("refused: ")


def test_a_macro_of_a_header_that_is_left_out_is_told(tmp_path: Path) -> None:
    """What a macro comes to hangs on the option as much as what stands in the function."""
    header = "#ifdef CONFIG_FOO\n#define LV true\n#else\n#define LV false\n#endif\n"
    (tmp_path / "own.h").write_text(header + INLINE % "\tv->skip = LV;")
    text = f'#include "own.h"\n{Form("mark(vm);").text}'
    assert TOLD in verdict_of(text, tmp_path)[1]


SAME = "#define VALID_PAGE(page) ((page) != INVALID_PAGE)\n"
OTHER_MEANING = "#define VALID_PAGE(x) ((x) > 5)\n"
PRELUDE = "VALID_PAGE is what the prelude says, not what a header does"


@pytest.mark.parametrize(("header", "told"), [(SAME, False), (OTHER_MEANING, True)])
def test_a_macro_that_a_header_defines_otherwise(header: str, told: bool, tmp_path: Path) -> None:
    """The proof is of code in which the macro means something else than where it is built."""
    (tmp_path / "own.h").write_text(header)
    _, assumptions = verdict_of(f'#include "own.h"\n{Form("").text}', tmp_path)
    assert (PRELUDE in assumptions) is told
