"""A cast keeps the address, and `container_of` leaves a member for the struct around it."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.support.diagnostics import InputError
from support.small_c import Piece, compiled, have_gcc, interpret, piece_machine

INPUTS = ((0, 0), (1, 2), (-1, 7), (300, -5))
TYPES = """\
struct first { int p; int q; };
struct around { struct first f; int r; struct first g; };
struct outermost { struct around a; int s; };
struct other { int p; int q; };
struct swapped { int q; int p; };
struct narrow { int p; u8 q; };
struct longer { int p, q, r; };
struct twin { struct pair one, two; };
static struct outermost deep; static struct twin twins;
"""
PIECES = {
    "first_member_of_a_local": Piece(
        "struct around x = { { a, b }, 3 }; struct first *f = (struct first *)&x;\n"
        "f->q += 5; return f->p * 100 + x.f.q;",
        TYPES,
    ),
    "back_to_what_it_is_the_first_of": Piece(
        "struct outermost x = { { { a, b }, 3 }, 4 }; struct first *f = &x.a.f;\n"
        "struct around *m = (struct around *)f; struct outermost *o = (struct outermost *)f;\n"
        "m->r += a; o->s += b; return x.a.r * 100 + x.s;",
        TYPES,
    ),
    "void_and_back": Piece(
        "struct around x = { { a, b }, 3 }; void *v = &x; struct around *y = v;\n"
        "struct first *f = v; y->r += f->p; return x.r;",
        TYPES,
    ),
    "container_of_a_local": Piece(
        "struct around x = { { a, b }, 3, { b, a } }; struct first *f = &x.f, *g = &x.g;\n"
        "struct around *y = container_of(g, struct around, g);\n"
        "struct around *z = container_of(f, struct around, f); y->r += f->q; z->r *= 2;\n"
        "return x.r;",
        TYPES,
    ),
    "at_file_level": Piece(
        "struct first *f = (struct first *)&deep; deep.a.f.p = a; f->q = b;\n"
        "container_of(f, struct around, f)->r = 4;\n"
        "return deep.a.f.q * 10 + deep.a.r + f->p;",
        TYPES,
    ),
    "one_of_two": Piece(
        "struct pair *p = &twins.one, *q = &twins.two; p->x = a; q->x = b;\n"
        "container_of(q, struct twin, two)->one.y = 3; return p->x * 100 + q->x + twins.one.y;",
        TYPES,
    ),
    "a_struct_that_begins_alike": Piece(
        "struct longer x = { a, b, 3 }; struct other *o = (struct other *)&x; void *v = &x;\n"
        "struct first *f = v; o->q += 2; f->p++; return x.p * 100 + x.q;",
        TYPES,
    ),
    "a_variable_is_no_part_of_the_vm": Piece(
        "to_kvm_vmx(kvm)->pair.x = a; pair.x = b; twins.one.x = 7; twins.two.x = 9;\n"
        "return to_kvm_vmx(kvm)->pair.x * 1000 + pair.x * 100 + twins.one.x * 10 + twins.two.x;",
        f"{TYPES} static struct pair pair;",
    ),
    "each_vcpu_in_turn": Piece(
        "struct pair *p; int i, n = 0; struct kvm_vcpu *v;\n"
        "kvm_for_each_vcpu(i, v, kvm) { p = &to_vmx(v)->own; p->x = a + i; }\n"
        "kvm_for_each_vcpu(i, v, kvm) { p = &to_vmx(v)->own; n = n * 10 + p->x; }\n"
        "return n;",
    ),
    "a_pointer_stays_with_its_vcpu": Piece(
        "struct pair *p = NULL; int i, n = 0; struct kvm_vcpu *v;\n"
        "kvm_for_each_vcpu(i, v, kvm) { to_vmx(v)->own.x = i + 5; }\n"
        "kvm_for_each_vcpu(i, v, kvm) { if (i == (a & 1)) p = &to_vmx(v)->own; }\n"
        "return p->x;",
    ),
}


def test_views_agree_with_gcc(tmp_path: Path) -> None:
    """Another member under the same name would be another piece of shared state."""
    if not have_gcc():
        pytest.skip("gcc is not installed, so nothing says what C means")
    answers = compiled(tmp_path, list(PIECES.values()), INPUTS)
    for (name, piece), theirs in zip(PIECES.items(), answers, strict=True):
        assert interpret(piece_machine(tmp_path, piece), INPUTS) == theirs, name


@pytest.mark.parametrize(
    "body",
    [
        "struct around x = { 0 }; return ((struct swapped *)&x)->q;",
        "struct first x = { 0 }; return ((struct narrow *)&x)->q;",
        "struct other x = { 0 }; return ((struct longer *)&x)->q;",
        "struct first x = { 0 }; return ((struct around *)&x)->r;",
        "struct first x = { 0 }; struct swapped *y = (void *)&x; return y->q;",
        "struct around x = { 0 }; struct around *y = (struct around *)&x.g; return y->r;",
        "struct around x = { 0 }; return container_of(&x.g, struct around, f)->r;",
        "struct first x = { 0 }; return container_of(&x, struct around, f)->r;",
        "return container_of(&twins.one, struct twin, two)->one.x;",
        "struct pair *p = (struct pair *)to_kvm_vmx(kvm); return p->x;",
        "struct pair *p = a ? &twins.one : &twins.two; return p->x;",
        "struct pair *p = &twins.one; if (a) p = &twins.two; return p->x;",
        "return ((struct vcpu_vmx *)to_kvm_vmx(kvm))->tag;",
        "return container_of(kvm_get_vcpu(kvm, 0), struct kvm_vmx, kvm)->word;",
    ],
)
def test_what_is_not_there_is_refused(body: str, tmp_path: Path) -> None:
    """What lies elsewhere in C must not be taken for what has the same name."""
    with pytest.raises(InputError):
        piece_machine(tmp_path, Piece(body, TYPES))
