"""What the parser keeps, the lowering reads: each field of each node, each word of a declaration.

For every field there are two programs that differ in it alone. They have to differ in the IR, or
one of them is refused. The few fields without a meaning here stand in a table with the reason.
"""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from flushproof.frontend.c import syntax as c
from flushproof.ir.printer import program_text
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record
from support.small_c import Piece, machine, piece_machine

NODES = sorted(
    (
        node
        for _, node in inspect.getmembers(c, inspect.isclass)
        if issubclass(node, Record) and node.__module__ == c.__name__
    ),
    key=lambda node: node.__name__,
)
FIELDS = [f"{n.__name__}.{f}" for n in NODES for f in n.__struct_fields__ if f != "span"]

TABLE = Path(__file__).with_name("fields.txt")
NO_MEANING = {
    "String.text": "strings are only handed to what prints, which changes nothing",
    "Index.base": "arrays are refused; only a claim's ghosts have an index",
    "Index.index": "as for the base: claims index by a vCPU",
    "ForEachVcpu.kvm": "there is one VM; what the expression does is done",
}

GIVEN = """\
struct s { int a; };
struct twin { struct pair one, two; int n; };
static struct twin twins; static struct pair other; static int w, v;
static int one(int x) { return x; }
static int two(int x) { return x + 1; }
"""


def _ir(folder: Path, piece: Piece) -> str:
    """Return the IR of a program, or that it is refused."""
    try:
        return program_text(piece_machine(folder, piece).base)
    except InputError as error:
        return f"refused: {error.diagnostics[0].title}"


def _programs() -> dict[str, tuple[Piece, Piece]]:
    """Return the two programs of each field that has a meaning."""
    _, *blocks = TABLE.read_text(encoding="utf-8").strip().split("\n\n")
    out = {}
    for block in blocks:
        name, *lines = block.splitlines()
        first, second = (line.partition("@@") for line in lines)
        out[name] = (Piece(first[2], GIVEN + first[0]), Piece(second[2], GIVEN + second[0]))
    return out


PROGRAMS = _programs()


@pytest.mark.sample(every=4)
@pytest.mark.parametrize("name", FIELDS)
def test_each_field_has_a_meaning(name: str, tmp_path: Path) -> None:
    """A field that is parsed and not read is C that means something else to the compiler."""
    if name in NO_MEANING:
        return
    first, second = PROGRAMS[name]
    was = _ir(tmp_path, first)
    assert not was.startswith("refused")
    assert _ir(tmp_path, second) != was


def test_the_tables_name_what_there_is() -> None:
    """An entry for a field that is gone, or two for one, would hide that another has none."""
    assert sorted((*PROGRAMS, *NO_MEANING)) == sorted(FIELDS)


PLACES = {
    "file": "{} int x; int f(struct kvm *kvm, int a, int b) {{ return x; }}",
    "local": "int f(struct kvm *kvm, int a, int b) {{ {} int x = 1; return x++; }}",
    "field": "struct h {{ {} int x; }}; int f(struct kvm *kvm, int a, int b) {{ return 0; }}",
    "parameter": "int f(struct kvm *kvm, {} int a, int b) {{ return a; }}",
    "type name": "int f(struct kvm *kvm, int a, int b) {{ return ({} int)a; }}",
    "typedef": "typedef {} int t; int f(struct kvm *kvm, int a, int b) {{ return (t)a; }}",
    "function": "{} int f(struct kvm *kvm, int a, int b) {{ return a; }}",
}
WORDS = ("static", "extern", "inline", "register", "auto", "const", "volatile")
SAME = {
    ("static", "file"): "one program is read, in which every name is seen",
    ("static", "function"): "one program is read, in which every name is seen",
    ("extern", "function"): "a function is known by its body",
    ("inline", "function"): "calls are inlined anyway",
    ("register", "local"): "only its address cannot be taken, which a compiler says",
    ("register", "parameter"): "only its address cannot be taken, which a compiler says",
    ("auto", "local"): "this is what a local variable is",
} | {
    (word, place): why
    for place in PLACES
    for word, why in (
        ("const", "that it is not assigned to, a compiler says"),
        ("volatile", "each access is an instruction of its own anyway"),
    )
}


@pytest.mark.sample(every=4)
@pytest.mark.parametrize("place", list(PLACES))
@pytest.mark.parametrize("word", WORDS)
def test_each_word_has_a_meaning(word: str, place: str, tmp_path: Path) -> None:
    """A storage word that is passed over makes shared state of a local, or the other way round."""
    plain, worded = (
        _ir_of(tmp_path, PLACES[place].format(w), ("flush f(kvm, free, free);")) for w in ("", word)
    )
    assert not plain.startswith("refused")
    assert (worded == plain) is ((word, place) in SAME)


def _ir_of(folder: Path, text: str, operations: str) -> str:
    try:
        return program_text(machine(folder, text, operations).base)
    except InputError as error:
        return f"refused: {error.diagnostics[0].title}"
