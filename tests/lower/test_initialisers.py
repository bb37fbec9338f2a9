"""Each value of an initialiser goes to the part that C gives it to, and what has none is zero."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.ir.code import Uninit
from flushproof.ir.types import NO_VCPU, VCPU
from flushproof.support.diagnostics import InputError
from support.small_c import (
    Piece,
    call,
    compiled,
    have_gcc,
    interpret,
    machine,
    piece_machine,
    returned,
)

INPUTS = ((0, 0), (1, 2), (5, -3), (-1, 70000), (300, 7))
TYPES = """\
struct in { int p; u8 q; };
struct out { int a; struct in b; bool c; struct { s16 d, e; }; struct in f;
	unsigned int g:3, h:2; };
"""
READ = "(X.a + X.b.p * 3 + X.b.q * 5 + X.c * 7 + X.d * 11 + X.e * 13 + X.f.p * 17 + X.f.q * 19\
 + X.g * 23 + X.h * 29)"
WRITTEN = {
    "all": "{ 1, { 2, 3 }, 4, { 5, 6 }, { 7, 8 }, 9, 10 }",
    "positional": "{ 1, { 2 }, 3 }",
    "flat": "{ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }",
    "flat_in_part": "{ 1, 2, 3, 4, { 5, 6 }, { 7 }, 8 }",
    "designated": "{ .f = { 1, 2 }, .a = 3, .c = 4 }",
    "designated_deep": "{ .b.q = 300, .f.p = 2 }",
    "goes_on_after_a_designator": "{ .b = { 1, 2 }, 3, .f.p = 4, 5, 6 }",
    "goes_on_within_and_leaves": "{ .b.p = 1, 2, 3, 4, 5, 6, 7, 8 }",
    "nameless_inner": "{ .e = 4, 5, 6 }",
    "mixed": "{ 9, .c = true, { .e = 2 }, .b.p = 3 }",
    "nothing": "{ 0 }",
    "replaced": "{ .a = 1, .a = 2, .b = { 3, 4 }, .b.q = 5 }",
    "scalar_in_braces": "{ { 1 }, { { 2 }, { 3 } } }",
    "trailing_comma": "{ 1, { 2, 3, }, }",
}
PIECES = {
    **{
        f"local_{k}": Piece(f"struct out x = {v};\nreturn {READ.replace('X', 'x')};", TYPES)
        for k, v in WRITTEN.items()
        if k != "replaced"
    },
    **{
        f"file_{k}": Piece(
            f"return {READ.replace('X', 'x')};", f"{TYPES}static struct out x = {v};\n"
        )
        for k, v in WRITTEN.items()
        if k != "replaced"
    },
    "replaced_whole": Piece(
        "struct out x = { .a = 1, .b = { 3, 4 }, .a = 2, .b.q = 5 }; return x.a * 9 + x.b.q;", TYPES
    ),
    "values_are_computed": Piece(
        "struct out x = { a, { b, a }, b, .f.q = a + b, .g = a, .h = b };\n"
        f"return {READ.replace('X', 'x')};",
        TYPES,
    ),
    "a_struct_is_a_value": Piece(
        "struct in y = { a, b }; struct out x = { 1, y, .f = y };\n"
        f"return {READ.replace('X', 'x')};",
        TYPES,
    ),
    "in_the_order_of_memory": Piece(
        "int n = a; struct out x = { .f.p = n++, .b = { n += 3, n++ }, .a = n *= 2 };\n"
        f"return {READ.replace('X', 'x')} + n * 100;",
        TYPES,
    ),
    "scalars_in_braces": Piece("int x = { a }; u8 y = { b, }; return x + y;"),
    "constant_of_constants": Piece(
        "return x.p * 100 + x.q + y;",
        "static struct in { int p; u8 q; } x = { (3 << 2) | LATER, -1 };\n"
        "static int y = sizeof_none + 2;\n".replace("sizeof_none", "ON"),
    ),
}


@pytest.mark.skipif(not have_gcc(), reason="gcc is not installed, so nothing says what C means")
def test_initialisers_agree_with_gcc(tmp_path: Path) -> None:
    """A value that goes to another member, or to none, would be a flag that is not set."""
    answers = compiled(tmp_path, list(PIECES.values()), INPUTS)
    for (name, piece), theirs in zip(PIECES.items(), answers, strict=True):
        ours = interpret(piece_machine(tmp_path, piece), INPUTS)
        assert ours == theirs, name


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("struct out x = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, @11 };", "more values"),
        ("struct in x = { 1, @{ 2, 3 } };", "one value is needed"),
        ("struct in x = { @.r = 1 };", "no member `r`"),
        ("struct in x = { @[0] = 1 };", "this designator does not fit"),
        ("struct in x = { @.p.q = 1 };", "`int` has no parts"),
        ("int x = @{ 1, 2 };", "one value"),
        ("struct in x = { .p = @a++, .p = 2 };", "that a later one"),
        ("int x = @{ };", "one value"),
    ],
)
def test_what_fits_nowhere_is_refused(body: str, said: str, tmp_path: Path) -> None:
    """A value that is dropped without a word is worse than none."""
    with pytest.raises(InputError) as caught:
        piece_machine(tmp_path, Piece(f"{body.replace('@', '')}\nreturn 0;", TYPES))
    (d,) = caught.value.diagnostics
    assert said in d.title
    assert d.span is not None
    assert d.span.column == len("\t") + body.index("@") + 1


def test_pointers_to_vcpus_start_as_null(tmp_path: Path) -> None:
    """Zeroed memory holds no vCPU; were it vCPU 0, code would find an owner that nobody set."""
    text = """
struct two { int n; struct kvm_vcpu *v; };
static struct kvm_vcpu *at_file_level;
int f(struct kvm *kvm, int a, int b)
{
	struct two x = { 1 }, y = { .v = kvm_get_vcpu(kvm, 0) };
	struct kvm_vcpu *v = at_file_level;
	int n = (v == NULL) + 2 * !x.v + 4 * (y.v != NULL) + 8 * !(struct kvm_vcpu *)0;
	at_file_level = kvm_get_vcpu(kvm, 1);
	return n;
}
"""
    made = machine(tmp_path, text, "flush f(kvm, free, free);")
    assert returned(call(made.base, "f", {"a": 0, "b": 0})) == 15
    assert [e.value for f, e in made.base.boot if f.type == VCPU] == [NO_VCPU]  # type: ignore[union-attr]


def test_pointers_to_the_vm_start_as_null(tmp_path: Path) -> None:
    """There is one VM, but a pointer to it that nobody set points nowhere."""
    text = """
static struct kvm *saved;
struct keeps { struct kvm *vm; struct kvm_vmx *outer; };
static struct keeps kept;
int f(struct kvm *kvm, int a, int b)
{
	struct keeps local = { .vm = a ? kvm : NULL }, none = { };
	int n = (saved == NULL) + 2 * !kept.vm + 4 * !local.vm + 8 * !none.outer;
	saved = a ? kvm : NULL;
	kept.outer = to_kvm_vmx(kvm);
	kept = local;
	if (saved)
		to_kvm_vmx(saved)->word = 16;
	return n + to_kvm_vmx(kvm)->word + 32 * (kept.vm != NULL) + 64 * (kept.outer == NULL);
}
"""
    made = machine(tmp_path, text, "flush f(kvm, free, free);")
    assert returned(call(made.base, "f", {"a": 0, "b": 0})) == 15 + 64
    assert returned(call(made.base, "f", {"a": 1, "b": 0})) == 11 + 16 + 32 + 64


@pytest.mark.parametrize(
    "body",
    [
        "static_word = &to_kvm_vmx(kvm)->word; return 0;",
        "kvm_get_vcpu(kvm, 0)->kvm = NULL; return 0;",
    ],
)
def test_an_address_that_is_not_kept_is_refused(body: str, tmp_path: Path) -> None:
    """An address that reads as 0 later, or an assignment that does nothing, would be worse."""
    with pytest.raises(InputError):
        piece_machine(tmp_path, Piece(body, "static int *static_word;"))


@pytest.mark.parametrize(
    ("body", "uninit"),
    [
        ("int x = a; { int x = x + 1; return x; }", True),
        ("int x = a; { int x = (x = 1) + b; return x; }", False),
        ("struct pair p = { a }, *q = &p; { struct pair *q = (q = &p, q); return !q; }", False),
    ],
)
def test_a_variable_is_in_scope_of_its_own_value(body: str, uninit: bool, tmp_path: Path) -> None:
    """`int x = x` would be read as a look at an outer `x`, and as no read of an unset variable."""
    program = piece_machine(tmp_path, Piece(body)).base
    assert any(isinstance(i, Uninit) for i in program.operations[0].code) is uninit
