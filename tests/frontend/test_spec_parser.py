"""The parser of spec and claim files."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.frontend.c.grammar import GRAMMARS, SPEC_WORDS, grammar_vocabulary
from flushproof.frontend.c.load import load_source
from flushproof.frontend.c.parser import ParseContext, parse_c
from flushproof.frontend.spec import syntax
from flushproof.frontend.spec.parser import parse_spec
from flushproof.support.diagnostics import EXIT_INPUT, InputError
from flushproof.support.source import Source
from support.places import SPECS

CONTEXT = ParseContext(typedefs=frozenset({"u64"}))
WHOLE = """
spec mismatch_flag {
    variant "mismatch" "_flag.c";
    operations {
        flush hv_flush(kvm, range);
        load vmx_load(vcpu, root, free);
    }
    boot { to_vmx(vcpu)->ept_pointer = INVALID_PAGE; }
    cache when VALID_PAGE(a->b) is a->b;
    cache when a->c is a->d;
    bounds { vcpus 1..4; loads 2; flushers 1; }
    assume no load_flushes;
    exempt some_field;
    memory tso;
    invariant a->b <= 1;
    invariant in mine any vcpu v, any vcpu u: v == u;
    expect { coverage proved; no_repeat refuted at 3; cache_sound unknown; converges holds;
             no_bogus bounded; no_race proved for every; }
    claim mine "text" {
        any call c; any vcpu w;
        root held = NONE;
        on return c(ret) { assert(ret); }
        on hypercall(r, ok) in c { }
        on step() { }
        headline "one {w}" " two"; because "why";
    }
}
bool helper(root r) { return r == NONE; }
"""


def parsed(text: str) -> syntax.SpecTree:
    """Parse `text` as a spec file."""
    return parse_spec(Source("a.spec", text), CONTEXT)


def test_every_clause() -> None:
    """Each clause lands in its field."""
    (spec,) = parsed(WHOLE).specs
    assert spec.variant is not None
    assert spec.variant.value == "mismatch_flag.c"
    roles = [(o.role, o.function, [r.value for r in o.roles]) for o in spec.operations]
    assert roles == [
        ("flush", "hv_flush", ["kvm", "range"]),
        ("load", "vmx_load", ["vcpu", "root", "free"]),
    ]
    assert spec.boot is not None
    assert len(spec.caches) == 2
    bounds = [(b.name, b.low, b.high) for b in spec.bounds]
    assert bounds == [("vcpus", 1, 4), ("loads", 2, 2), ("flushers", 1, 1)]
    assert [(a.name, a.holds) for a in spec.assumptions] == [("load_flushes", False)]
    assert [e.field for e in spec.exempt] == ["some_field"]
    assert spec.memory is not None
    assert spec.memory.model == "tso"
    lines = [(x.claim and x.claim.value, [v.value for v in x.vcpus]) for x in spec.invariants]
    assert lines == [(None, []), ("mine", ["v", "u"])]
    assert [(e.claim, e.verdict, e.vcpus, e.every_number) for e in spec.expectations] == [
        ("coverage", "proved", None, False),
        ("no_repeat", "refuted", 3, False),
        ("cache_sound", "unknown", None, False),
        ("converges", "holds", None, False),
        ("no_bogus", "bounded", None, False),
        ("no_race", "proved", None, True),
    ]


def test_claims() -> None:
    """Witnesses, ghosts and handlers keep their order and their parts."""
    (spec,) = parsed(WHOLE).specs
    (claim,) = spec.claims
    assert not claim.overrides
    (other,) = parsed("override claim coverage { }").claims
    assert (other.name, other.overrides) == ("coverage", True)
    assert [(w.kind, w.name) for w in claim.witnesses] == [("call", "c"), ("vcpu", "w")]
    assert [g.type.name for g in claim.ghosts] == ["root"]
    handlers = [(h.event, h.subject, len(h.parameters), h.inside) for h in claim.handlers]
    assert handlers == [("return", "c", 1, ""), ("hypercall", "", 2, "c"), ("step", "", 0, "")]
    assert (claim.headline, claim.because) == ("one {w} two", "why")
    assert [f.name for f in parsed(WHOLE).functions] == ["helper"]


def test_spec_words_are_the_words_of_the_grammar() -> None:
    """A word reserved in specs must stay an ordinary name in C, and no other word may."""
    c_text = (GRAMMARS / "c.lark").read_text()
    words = {w for w in grammar_vocabulary(spec=True).exact if w.isalpha()}
    assert {w for w in words if f'"{w}"' not in c_text} == SPEC_WORDS
    assert not SPEC_WORDS & set(grammar_vocabulary(spec=False).exact)


def test_spec_words_are_names_in_c() -> None:
    """Kernel code may call a variable `root` or `on`."""
    text = "int claim(int on) { int root = on; spec: return root; }"
    unit, _ = parse_c(Source("a.c", text), CONTEXT)
    assert len(unit.items) == 1


@pytest.mark.sample(every=6)
@pytest.mark.parametrize("path", sorted(SPECS.glob("*.spec")), ids=lambda path: path.name)
def test_corpus(path: Path) -> None:
    """Every shipped spec parses after its prelude."""
    _, prelude = parse_c(load_source(SPECS / "prelude.h"), ParseContext())
    (spec,) = parse_spec(load_source(path), prelude).specs
    assert spec.variant is not None
    assert spec.variant.value.endswith(".c")


@pytest.mark.parametrize(
    ("text", "line", "column", "title", "help_text"),
    [
        (
            "operations {\n flsh f(kvm); }",
            2,
            2,
            "`flsh` is no role (did you mean `flush`?)",
            "known: `flush`, `load`",
        ),
        ("bounds { vcpu 3; }", 1, 19, "`vcpu` is no bound (did you mean `vcpus`?)", "known: "),
        ("expect { a prooved; }", 1, 21, "`prooved` is no verdict (did you mean `proved`?)", ""),
        ("assume load_flush;", 1, 17, "`load_flush` is no assumption (did you mean", ""),
        ("memory tos;", 1, 17, "`tos` is no memory model", "known: `sc`, "),
        ("memory sc; memory tso;", 1, 21, "clause `memory` stands twice", ""),
        ("claim c { any vcp w; }", 1, 24, "`vcp` is no kind of witness (did you mean", ""),
        ("claim c { on hypercal(r) { } }", 1, 23, "`hypercal` is no event (did you mean", ""),
        ("claim c { on step() in d { } }", 1, 33, "`d` is no call", "none is declared here"),
        ("claim c { on enter() { } }", 1, 23, "`on enter` wants an operation or a call", ""),
        ("claim c { on lock load(l) { } }", 1, 28, "`on lock` takes no operation or call", ""),
        ('variant "a"; variant "b";', 1, 23, "clause `variant` stands twice", ""),
        ("bounds { loads 1; loads 2; }", 1, 28, "bound `loads` stands twice", ""),
        ("expect { a proved; a refuted; }", 1, 29, "expectation `a` stands twice", ""),
        ("expect { a proved at 2; }", 1, 31, "`proved` takes no count", ""),
        ("expect { a holds at 2; }", 1, 30, "`holds` takes no count", ""),
        ("expect { a proved for all; }", 1, 32, "`all` is no scope", "known: `every`"),
        ("expect { a refuted for every; }", 1, 33, "`refuted` cannot be expected for every", ""),
        (
            "expect { a bounded for every; }",
            1,
            33,
            "`bounded` cannot be",
            "write `proved for every`",
        ),
        ("claim a { } claim a { }", 1, 28, "claim `a` stands twice", ""),
        ("boot", 1, 15, "unexpected `}`, expected `{`", ""),
        ("claim c { int in; }", 1, 24, "unexpected `in`", "`in` is a reserved word in spec files"),
        ("bonds { }", 1, 10, "unexpected `bonds`", "did you mean `bounds`?"),
    ],
)
def test_refusals(text: str, line: int, column: int, title: str, help_text: str) -> None:
    """Each slip is named where it stands, with the nearest word that exists."""
    with pytest.raises(InputError) as caught:
        parsed(f"spec s {{ {text} }}")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.title.startswith(title)
    assert diagnostic.help.startswith(help_text)
    assert diagnostic.span is not None
    assert (diagnostic.span.line, diagnostic.span.column) == (line, column)
    assert caught.value.exit_code == EXIT_INPUT


@pytest.mark.parametrize(
    ("bound", "column", "title"),
    [
        ("vcpus 4..1", 16, "`4..1` is empty"),
        ("vcpus 0", 16, "`0` is not between 1 and 4096"),
        ("vcpus -2", 16, "`-2` is not between 1 and 4096"),
        ("loads -1", 16, "`-1` is not between 0 and 1000"),
        ("loads any", 10, "`loads any`: only flushers may be any number"),
        ("loads 99999999", 16, "`99999999` is not between 0 and 1000"),
        ("vcpus 4097", 16, "`4097` is not between 1 and 4096"),
    ],
)
def test_bad_bounds_are_refused(bound: str, column: int, title: str) -> None:
    """A bound that nothing satisfies would make every claim vacuous."""
    with pytest.raises(InputError) as caught:
        parsed(f"spec s {{\nbounds {{ {bound}; }} }}")
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.title == title
    assert diagnostic.span is not None
    assert (diagnostic.span.line, diagnostic.span.column) == (2, column)
    assert caught.value.exit_code == EXIT_INPUT


def test_a_repeated_clause_points_at_the_first() -> None:
    """The user must see which of the two to drop."""
    with pytest.raises(InputError) as caught:
        parsed('spec s {\nvariant "a";\nvariant "b"; }')
    (note,) = caught.value.diagnostics[0].notes
    assert note.span is not None
    assert (note.text, note.span.line) == ("first here", 2)
