"""A comparison of two variants as text: the verdict, one schedule shown twice, the scope."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import assert_never

from flushproof.report.excerpt import excerpt_lines
from flushproof.report.grid import Column, GridCell, draw_grid
from flushproof.report.plain import DEFAULT_WIDTH, hang_text
from flushproof.report.scope import scope_phrase, vcpus_phrase
from flushproof.results.comparison import (
    Act,
    Compared,
    Comparison,
    Relation,
    SharedCall,
    SideOutcome,
    Since,
    VariantDifference,
)
from flushproof.results.verdict import EXIT_OK
from flushproof.support.source import Source
from flushproof.support.wording import count_noun

REPLAYED = "each variant replayed by itself in the interpreter"
MARK = "<--"
LEAST = 5
MOST_FACTS = 6
"""A relation of more facts than this is only counted."""

CODE_INDENT = 6

Sources = Mapping[str, Source]


def render(found: Comparison, sources: Sources, width: int = DEFAULT_WIDTH) -> str:
    """Return the comparison as text that ends in a newline."""
    summary = hang_text("", _summary(found), width, indent=2)
    return "\n".join([*comparison_lines(found, sources, width), "", *summary]) + "\n"


def comparison_lines(found: Comparison, sources: Sources, width: int) -> list[str]:
    """Return the comparison as lines, without the summary."""
    out = [_head(found)]
    out += hang_text("  old  ", _subject(found.old.path, found.old.function), width)
    out += hang_text("  new  ", _subject(found.new.path, found.new.function), width)
    if found.difference is not None:
        out += _difference(found.difference, sources, width)
    else:
        out.append("")
    return out + _labels(found, width)


def list_compared_files(found: Comparison) -> tuple[str, ...]:
    """Return the names of the files that excerpts are wanted from."""
    told = found.difference
    spans = () if told is None else (a.span for _, a in _diverging(told) if a.span is not None)
    return tuple(sorted({s.file for s in spans}))


def _head(found: Comparison) -> str:
    if found.relation is Relation.UNKNOWN:
        return str(found.relation)
    if found.relation is Relation.BOUNDED:
        return f"bounded: equal for {vcpus_phrase(found.scope.vcpus)}"
    if found.difference is None:
        return f"{found.relation}  for {vcpus_phrase(found.scope.vcpus)}"
    return f"{found.relation}  {count_noun(found.difference.vcpus, 'vCPU')}"


def _subject(path: str, function: str) -> str:
    return f"{path}: {function}()"


def _summary(found: Comparison) -> str:
    bounded = found.relation in (Relation.BOUNDED, Relation.REFINES)
    every = " for every number of vCPUs" if found.every_number and bounded else ""
    wanted = "" if found.exit_code == EXIT_OK else f", expected {found.expected}{every}"
    return f"{found.old.path} -> {found.new.path}: {found.relation}{wanted}"


def _labels(found: Comparison, width: int) -> list[str]:
    parts = []
    if found.reason:
        undecided = found.relation is Relation.UNKNOWN
        parts.append(("because" if undecided else "note", found.reason))
    if found.difference is not None:
        parts += [("smallest", found.difference.smallest), ("checked", REPLAYED)]
    if found.invariant:
        parts.append(("related", _related(found.invariant)))
    parts += [("compares", describe_comparison(found)), ("scope", scope_phrase(found.scope))]
    if found.assumptions:
        parts.append(("assuming", ", ".join(found.assumptions)))
    return [line for label, text in parts for line in hang_text(f"  {label:<8} ", text, width)]


def _related(facts: tuple[str, ...]) -> str:
    if len(facts) > MOST_FACTS:
        return f"by an invariant of {len(facts)} facts about both states (see --format json)"
    return "; ".join(facts)


def describe_comparison(found: Comparison) -> str:
    """Return what is compared, in words."""
    match found.compared:
        case Compared.SEQUENCE:
            what = "each call's hypercalls (root, range) in order, and its return value"
            how = "the k-th hypercall of a call ends alike in both"
        case Compared.SET:
            what = "the set of roots that each call flushes, nothing else"
            how = "hypercalls of a call on one root end alike in both"
        case _:
            assert_never(found.compared)
    late = ", of calls after any vCPU has loaded" if found.since is Since.LOAD else ""
    more = ""
    if found.relation is Relation.REFINES:
        more = (
            "; refines: each hypercall of the new code is one of the old in that call, it fails "
            "only where the old does, and `coverage` holds for it"
        )
    return f"{what}{late}; {how}{more}"


# The schedule, shown twice -------------------------------------------------------------------


def _difference(told: VariantDifference, sources: Sources, width: int) -> list[str]:
    out = ["", *hang_text("  ", told.headline, width), ""]
    for side, act in _diverging(told):
        if act.span is not None:
            out += hang_text("  ", f"{act.span.file}:{act.span.line}", width)
            out += excerpt_lines(act.span, side, sources, CODE_INDENT, width)
    return [*out, "", *_table(told, width), ""]


def _diverging(told: VariantDifference) -> list[tuple[str, Act]]:
    """Return what the sides do where they first differ, the new one first."""
    last = told.calls[-1]
    acts = (("new", _act(last.new, told.at)), ("old", _act(last.old, told.at)))
    return [(name, act) for name, act in acts if act is not None]


def _act(side: SideOutcome, at: int | None) -> Act | None:
    if at is None:
        return side.end
    return side.hypercalls[at] if at < len(side.hypercalls) else None


def _table(told: VariantDifference, width: int) -> list[str]:
    rows = [row for call in told.calls for row in _rows(call, told)]
    step, thread, does, old, new, mark = zip(*rows, strict=True)
    columns = (
        Column("step", 4, tuple(GridCell((s,) if s else (), right=True) for s in step)),
        Column("thread", 6, tuple(GridCell((t,) if t else ()) for t in thread)),
        Column("call", 4, tuple(GridCell((d,) if d else ()) for d in does)),
        Column("old", LEAST, tuple(GridCell((o,) if o else ()) for o in old)),
        Column("new", LEAST, tuple(GridCell((n,) if n else ()) for n in new)),
        Column("", len(MARK), tuple(GridCell((m,) if m else ()) for m in mark)),
    )
    return draw_grid(columns, width) or []


_Row = tuple[str, str, str, str, str, str]


def _rows(call: SharedCall, told: VariantDifference) -> list[_Row]:
    pairs = list(zip_longest(_texts(call.old), _texts(call.new), fillvalue="-"))
    ends = [(_end(call.old), _end(call.new))]
    changes = list(zip_longest(_changed(call.old), _changed(call.new), fillvalue=""))
    rows = [*pairs, *(e for e in ends if any(e)), *changes] or [("", "")]
    marked = len(pairs) if told.at is None else told.at
    here = call is told.calls[-1]
    head = (str(call.index), _title(call.thread), call.text)
    return [
        (*(head if k == 0 else ("", "", "")), *row, MARK if here and k == marked else "")
        for k, row in enumerate(rows)
    ]


def _texts(side: SideOutcome) -> list[str]:
    return [a.text for a in side.hypercalls]


def _end(side: SideOutcome) -> str:
    return "" if side.end is None else side.end.text


def _changed(side: SideOutcome) -> list[str]:
    return [f"{name} = {value}" for name, value in side.changed]


def _title(thread: str) -> str:
    return "flusher" if thread == "flusher0" else thread
