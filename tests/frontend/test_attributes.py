"""Attributes: those that mean something are refused, however they are spelled."""

from __future__ import annotations

import pytest

from flushproof.frontend.c import printer
from flushproof.frontend.c.attributes import CALLED, MEANINGFUL, MEANINGLESS, WORDS
from flushproof.frontend.c.items import MEANINGS
from flushproof.frontend.c.parser import ParseContext, parse_c
from flushproof.lower import number_macros, primitives
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Source

FORMS = (
    "{} int f(void) {{ return 1; }}",
    "static {} int f(void);",
    "int f(void) {};",
    "int x {} = 1;",
    "struct {} s {{ int a; }};",
    "struct s {{ int a {}; }};",
    "struct s {{ int a; }} {};",
    "int f(int a {}) {{ return a; }}",
    "int f(void) {{ int d {} = 0; return d; }}",
    "int f(void) {{ int *{} d = 0; return 1; }}",
    "typedef int t {};",
)
"""Places where an attribute may stand."""


def read(text: str) -> str:
    """Parse a file and return it in words."""
    unit, _ = parse_c(Source("x.c", text), ParseContext())
    return "\n".join(printer.print_item(i) for i in unit.items)


def refusal(text: str) -> str:
    """Return what is said of a file that is refused, which names a place."""
    with pytest.raises(InputError) as caught:
        read(text)
    (found,) = caught.value.diagnostics
    assert found.span is not None
    return found.title


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", sorted(MEANINGFUL))
def test_what_means_something_is_refused(form: str, name: str) -> None:
    """An attribute that is passed over although it changes what code does makes proofs false."""
    for spelled in (f"__attribute__(({name}))", f"__attribute((unused, __{name}__(reset)))"):
        assert refusal(form.format(spelled)) == f"outside the subset: {MEANINGFUL[name]}"


@pytest.mark.parametrize("form", FORMS)
def test_what_means_nothing_is_passed_over(form: str) -> None:
    """Kernel code is full of hints, which are no reason to read nothing."""
    given = ("__maybe_unused", "__attribute__((cold, __format__(printf, 1, 2),))", "__extension__")
    for spelled in (*given, "__counted_by(n)", "__attribute__(())"):
        assert read(form.format(spelled)) == read(form.format(""))


@pytest.mark.parametrize("word", sorted((WORDS | CALLED).items()), ids=lambda w: w[0])
def test_words_of_the_kernel(word: tuple[str, str]) -> None:
    """A word of the kernel means what the attribute means that it stands for."""
    spelled, name = word
    text = FORMS[0].format(f"{spelled}(1)" if spelled in CALLED else spelled)
    if name in MEANINGLESS:
        assert read(text) == read(FORMS[0].format(""))
    else:
        assert refusal(text) == f"outside the subset: {MEANINGFUL[name]}"


def test_words_behind_a_prototype() -> None:
    """A word that the machine does not know is not read over; one that it knows is not refused."""
    assert primitives.TABLE.keys() | number_macros.TABLE.keys() == MEANINGS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("int x __attribute__((strange));", "attribute `strange`, which is not known"),
        ("int x __attribute__((aligned(8), strange(1)));", "an alignment of its own"),
        ("int x __attribute__((const strange));", "an attribute of two words"),
        ("int x __attribute__(cold);", "`__attribute__` without `((...))`"),
        ("int x __attribute__;", "`__attribute__` without `((...))`"),
        ("_Alignas(8) int x;", "an alignment of its own"),
        ("static __thread int x;", "a variable of each thread"),
        ("int f(void) { int *p __free(reset) = 0; return 1; }", "a destructor"),
        ("void kfree(int *p) { } int f(void) { int *p __free(kfree) = 0; }", "a destructor"),
        ("int f(void) { int d __cleanup(reset) = 0; return d; }", "a destructor"),
        ("int f(void) { [[gnu::cleanup(reset)]] int d = 0; return d; }", "expected a statement"),
        ('_Static_assert(0, "");', "`_Static_assert`"),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, said: str) -> None:
    """What is not known to mean nothing is never passed over."""
    assert said in refusal(text)
