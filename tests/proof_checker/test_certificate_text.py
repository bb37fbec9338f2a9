"""Claimed proofs as text: what is written is read back as it was, and nothing else is read."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flushproof.ir.invariant import (
    FLUSHER,
    OBSERVER,
    Bitwise,
    Cell,
    FactComparison,
    FixedNumber,
    ReaderCount,
    Sum,
    Term,
    ThreadLocal,
    TrackedVcpu,
    VcpuCount,
)
from flushproof.ir.invariant_text import (
    DEEPEST,
    NotAFact,
    fact_text,
    parse_fact,
    parse_term,
    term_text,
)
from flushproof.verify.certificate.proof_text import proof_to_text, text_to_proof
from flushproof.verify.unbounded_proofs import Evidence, ForAll
from support.machines import machine_of, program_of

VCPUS = ("v", "no_repeat.w")
READ_BACK = (
    ("enum_status", "range_kept"),
    ("early_return", "cache_sound"),
    ("lock_order", "coverage"),
    ("lock_order", "lock_balanced"),
    ("rwlock_readers", "range_kept"),
    ("rwlock_readers", "no_race"),
    ("vcpu0_first", "cache_sound"),
)
"""Proofs that have low bits, several locks, readers, two rounds of a loop."""
ODD_NAMES = (
    "N",
    "readers",
    "flusher",
    "x",
    "%.5",
    "f()",
    "f().1",
    "a b",
    "a.b:c",
    "0",
    "",
    "x y()",
)
"""Names of fields and locals are the program's, with some that look like words of the text."""


@pytest.mark.sample("enum_status", "vcpu0_first")
@pytest.mark.parametrize(("name", "claim"), READ_BACK)
def test_each_proof_is_read_back(name: str, claim: str) -> None:
    """A fact that is read as another one would make a certificate of something else."""
    engine = ForAll(machine_of(name), evidence=False)
    program = program_of(name, claim)
    found = engine.prove(program)
    assert isinstance(found, Evidence)
    for proof in (found.code, found.claim):
        text = proof_to_text(proof)
        assert text_to_proof(text) == proof
        assert proof_to_text(text_to_proof(text)) == text


_NAMES = st.sampled_from(ODD_NAMES)
_VCPU = st.integers(0, len(VCPUS) - 1)
_THREAD = st.sampled_from((FLUSHER, OBSERVER, *range(1, 1 + len(VCPUS))))
_LEAVES: st.SearchStrategy[Term] = st.one_of(
    st.integers(-(1 << 70), 1 << 70).map(FixedNumber),
    st.just(VcpuCount()),
    _VCPU.map(TrackedVcpu),
    st.builds(Cell, _NAMES, st.none() | _VCPU),
    st.builds(ReaderCount, _NAMES, _THREAD),
    st.builds(ThreadLocal, _THREAD, _NAMES),
)


def _joined(inner: st.SearchStrategy[Term]) -> st.SearchStrategy[Term]:
    return st.one_of(
        st.builds(Bitwise, st.sampled_from(("&", "|", "^", ">>")), inner, inner),
        st.lists(inner, min_size=2, max_size=4).map(lambda x: Sum(tuple(x))),
    )


TERMS = st.recursive(_LEAVES, _joined, max_leaves=8)
RELATIONS = st.sampled_from(("==", "!=", "<", "<=", ">", ">="))
FACTS = st.lists(st.builds(FactComparison, RELATIONS, TERMS, TERMS), min_size=1, max_size=3)


@settings(max_examples=100, deadline=None)
@given(FACTS)
def test_a_fact_is_read_back(comparisons: list[FactComparison]) -> None:
    """Whatever fields and locals are called, and however values are joined."""
    fact = tuple(comparisons)
    assert parse_fact(fact_text(fact, VCPUS), VCPUS) == fact


@settings(max_examples=100, deadline=None)
@given(TERMS)
def test_a_value_is_read_back(term: Term) -> None:
    """Ranks are values by themselves."""
    assert parse_term(term_text(term, VCPUS), VCPUS) == term


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x",
        "x ==",
        "== x",
        "x == y == z",
        "x == y ||",
        "|| x == y",
        "x = y",
        "x == y z",
        "(x + ) == 0",
        "(x) == 0",
        "(x + y & z) == 0",
        "(x & y & z) == 0",
        "x + y == 0",
        "x[w] == 0",
        "x[readers] == 0",
        "x@ == 0",
        "@flusher == 0",
        "@observer == 0",
        "N[v] == 0",
        "x == 08x",
        "x == 0x",
        "x == 1.5",
        "x == `",
        "x == 1u",
        "\0 == 0",
        "x == 0 \n; claim: y",
        "(" * 100_000,
        "(" * (DEEPEST + 1) + "x" + " + x)" * (DEEPEST + 1) + " == 0",
        "x == " + "9" * 5000,
        "x == -" + "9" * 5000,
        "x == 010",
        "x == ~-010",
    ],
)
def test_what_is_no_fact_is_refused(text: str) -> None:
    """A text that is read in part would claim less, or more, than it says."""
    with pytest.raises(NotAFact) as refused:
        parse_fact(text, VCPUS)
    assert len(str(refused.value)) < 200


_ONE_CUT = (
    '{"cuts": [{"operation": "f", "at": 0, "step_begins": true, "loop_head": true}], "cases": []}'
)


def test_the_least_proof_is_one() -> None:
    """What follows is refused for what it has otherwise."""
    assert len(text_to_proof(_ONE_CUT).cuts) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{}",
        '{"cuts": []}',
        '{"cuts": [], "cases": [], "more": 1}',
        '{"cuts": [], "cases": []} {}',
        _ONE_CUT.replace("0", '"0"'),
        _ONE_CUT.replace("0", "1.5"),
        '{"cuts": [{"operation": "f", "at": 0}], "cases": []}',
        '{"cuts": [], "cases": [{"tracked": "", "locations": []}]}',
        '{"cuts": [], "cases": [{"tracked": [], "locations": [{}]}]}',
        '{"cuts": [], "cases": [], "values": [{"field": "x", "fact": "x"}]}',
        '{"cuts": [], "cases": [], "values": [{"field": "x", "fact": "@v == 0"}]}',
        "[" * 100_000,
        '{"cuts": ' * 100_000,
        '{"cuts": [], "cases": [], "cuts": NaN}',
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    """JSON that means something else, or nothing, is no proof."""
    with pytest.raises(NotAFact):
        text_to_proof(text)
