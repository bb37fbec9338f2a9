"""What gcc's torture tests compute, by our reading: none of those that are accepted goes wrong."""

from __future__ import annotations

import pytest

from torture.__main__ import report
from torture.judge import Answer, Told, judge, judge_text
from torture.suite import names, torture_variant

OWN = {
    "returns": ("int main(void) { return 0; }", Answer.RIGHT),
    "falls_off_the_end": ("int main() { int a = 1; }", Answer.RIGHT),
    "returns_nothing": ("void main(void) { }", Answer.RIGHT),
    "returns_a_failure": ("int main(void) { return 3; }", Answer.WRONG),
    "aborts": ("int main(void) { int a = 1; if (a) abort(); return 0; }", Answer.WRONG),
    "aborts_below": (
        "static void f(int a) { if (a != 2) abort(); }\nint main(void) { f(1); return 0; }",
        Answer.WRONG,
    ),
    "exits": ("int main(void) { exit(0); }", Answer.RIGHT),
    "exits_with_a_failure": ("int main(void) { exit(1); return 0; }", Answer.WRONG),
    "is_over": ("int main(void) { exit(0); abort(); }", Answer.RIGHT),
    "any_value": ("int main(void) { int a; if (a) abort(); return 0; }", Answer.WRONG),
    "divides_by_zero": ("int main(void) { int a = 0; return 1 / a; }", Answer.UNKNOWN),
    "does_not_end": ("int main(void) { for (;;) ; }", Answer.UNKNOWN),
    "has_a_header": ("#include <limits.h>\nint main(void) { return INT_MAX < 0; }", Answer.RIGHT),
    "has_a_union": ("int main(void)\n{\n  union u { int a; } u;\n  return 0;\n}", Answer.REFUSED),
}


@pytest.mark.sample(every=3)
@pytest.mark.parametrize("name", OWN)
def test_answers(name: str) -> None:
    """A harness that cannot say that a test goes wrong would find none that does."""
    text, answer = OWN[name]
    test = torture_variant(f"{name}.c", text)
    assert judge_text(test).answer is answer
    assert judge_text(test, solver=True).answer is answer


def test_places() -> None:
    """A refusal that names another line sends its reader to the wrong construct."""
    text = OWN["has_a_union"][0]
    assert judge_text(torture_variant("x.c", text)).line == 3
    assert judge_text(torture_variant("x.c", f"#include <limits.h>\n{text}")).line == 4


def test_report() -> None:
    """Refusals are told by reason and counted; a wrong answer is told by name."""
    told = (
        Told("a.c", Answer.RIGHT, proved=True),
        Told("b.c", Answer.REFUSED, "no `x` here", 3),
        Told("c.c", Answer.REFUSED, "no `y` here"),
        Told("d.c", Answer.WRONG, "it aborts"),
    )
    assert list(report(told)) == [
        "wrong: d.c it aborts",
        "refused:   2 no `...` here (b.c:3, c.c)",
        "4 tests: 1 right, 1 wrong, 2 refused, 0 unknown",
        "of these the solver shows 1",
    ]


def test_suite() -> None:
    """What gcc holds to be right fails here only where our reading of C is another one.

    This is a handful of the suite; `python -m torture` goes through all of it.
    """
    wanted = names()[::40]
    if not wanted:
        pytest.skip("the torture tests are not there: run `python -m torture.fetch` in tests")
    told = [judge(name, solver=False) for name in wanted]
    assert sum(t.answer is Answer.WRONG for t in told) == 0
    assert sum(t.answer is Answer.RIGHT for t in told) >= len(told) // 4
