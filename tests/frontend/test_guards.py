"""Locks that free themselves at the end of their block."""

from __future__ import annotations

import pytest

from flushproof.frontend.c import printer
from flushproof.frontend.c.parser import ParseContext, parse_c
from flushproof.support.diagnostics import InputError
from flushproof.support.source import Source

HEAD = "int f(struct mutex *m, int *p) "
TAKE = "mutex_lock(m);"
FREE = "mutex_unlock(m);"
GUARD = "guard(mutex)(m);"


def plain(body: str) -> str:
    """Return a function in words, without the blanks that only lay it out."""
    unit, _ = parse_c(Source("x.c", HEAD + body), ParseContext())
    return " ".join(" ".join(printer.print_item(i) for i in unit.items).split())


@pytest.mark.parametrize(
    ("guarded", "expected"),
    [
        (f"{{ {GUARD} g(); }}", f"{{ {TAKE} g(); {FREE} }}"),
        (f"{{ {GUARD} return 1; }}", f"{{ {TAKE} {{ {FREE} return 1; }} {FREE} }}"),
        (f"{{ if (*p) {{ {GUARD} g(); }} h(); }}", f"{{ if (*p) {{ {TAKE} g(); {FREE} }} h(); }}"),
        (
            f"{{ while (1) {{ {GUARD} if (*p) break; if (g()) continue; h(); }} }}",
            (
                f"{{ while (1) {{ {TAKE} if (*p) {{ {FREE} break; }} "
                f"if (g()) {{ {FREE} continue; }} h(); {FREE} }} }}"
            ),
        ),
        (
            f"{{ {GUARD} while (1) {{ if (*p) break; }} }}",
            f"{{ {TAKE} while (1) {{ if (*p) break; }} {FREE} }}",
        ),
        (
            f"{{ {{ {GUARD} if (*p) goto out; }} out: return 0; }}",
            f"{{ {{ {TAKE} if (*p) {{ {FREE} goto out; }} {FREE} }} out: return 0; }}",
        ),
        (
            f"{{ {GUARD} *p = ({{ if (g()) return 1; 2; }}); }}",
            f"{{ {TAKE} *p = ({{ if (g()) {{ {FREE} return 1; }} 2; }}); {FREE} }}",
        ),
        (
            f"{{ while (*p) {{ {GUARD} while (({{ if (g()) break; 1; }})) h(); }} }}",
            (
                f"{{ while (*p) {{ {TAKE} while (({{ if (g()) {{ {FREE} break; }} 1; }})) h(); "
                f"{FREE} }} }}"
            ),
        ),
        (
            f"{{ {GUARD} if (*p) goto out; g(); out: h(); }}",
            f"{{ {TAKE} if (*p) goto out; g(); out: h(); {FREE} }}",
        ),
        (
            f"{{ {GUARD} guard(spinlock_irqsave)(p); }}",
            f"{{ {TAKE} spin_lock(p); spin_unlock(p); {FREE} }}",
        ),
        ("{ scoped_guard(mutex, m) g(); }", f"{{ {{ {TAKE} g(); {FREE} }} }}"),
        (
            "{ scoped_guard(mutex, m) { if (*p) break; g(); } }",
            f"{{ {{ {TAKE} do {{ if (*p) break; g(); }} while (0); {FREE} }} }}",
        ),
    ],
)
def test_where_locks_are_freed(guarded: str, expected: str) -> None:
    """A way out of a block that keeps the lock, or frees it twice, is one that C has not."""
    assert plain(guarded) == plain(expected)


def test_what_is_returned_is_computed_first() -> None:
    """A value that is read after the lock is freed may be another one."""
    text = plain(f"{{ {GUARD} return *p; }}")
    assert text.index("= *p;") < text.index(FREE) < text.index("return")


@pytest.mark.parametrize(
    ("lock", "change"),
    [("m", "m = 0;"), ("elsewhere", ""), ("p->lock", ""), ("&p->q->lock", ""), ("pick(p)", "")],
)
def test_which_lock_it_is_is_found_out_once(lock: str, change: str) -> None:
    """The lock that is freed is the one that was taken, whatever the expression says by then."""
    text = plain(f"{{ guard(mutex)({lock}); {change} }}")
    assert text.count(f"guarded@1 = {lock};") == 1
    assert text.count("mutex_lock(guarded@1)") == text.count("mutex_unlock(guarded@1)") == 1


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{ g(guard(mutex)(m)); }", "a guard within an expression"),
        ("{ if (*p) guard(mutex)(m); }", "a guard that is not within a block"),
        ("{ for (;;) guard(mutex)(m); }", "a guard that is not within a block"),
        (f"{{ switch (*p) {{ case 1: {GUARD} }} }}", "a guard that is not within a block"),
        (f"{{ switch (*p) {{ case 1: g(); {GUARD} break; case 2: h(); }} }}", "a case behind"),
        (f"{{ switch (*p) {{ case 1: {{ {GUARD} case 2: h(); }} }} }}", "a case behind a guard"),
        (f"{{ if (*p) goto in; {{ {GUARD} in: g(); }} }}", "a jump to a place behind a guard"),
        (f"{{ {{ {GUARD} if (*p) goto in; }} {{ {GUARD} in: g(); }} }}", "a jump to a place"),
        (f"{{ *p = ({{ {GUARD} g(); }}); }}", "a guard within a statement expression"),
        ("{ guard(mutex_try)(m); }", "a guard of class `mutex_try`, which is not known"),
        ("{ " + GUARD * 101 + " }", "more than 100 guards in one function"),
        ("{ guard(mine)(m); }", "a guard of class `mine`, which is not known"),
        ("{ scoped_guard(mutex_intr, m) g(); }", "a guard of class `mutex_intr`"),
        ("{ scoped_cond_guard(mutex_try, return 1, m) { g(); } }", "unexpected `return`"),
    ],
)  # fmt: skip
def test_what_is_not_followed(body: str, said: str) -> None:
    """A guard whose lock cannot be told at the end is refused, with its place."""
    with pytest.raises(InputError) as caught:
        plain(body)
    assert said in caught.value.diagnostics[0].title
    assert caught.value.diagnostics[0].span is not None


def test_guards_that_keep_nobody_out() -> None:
    """Interrupts and RCU are not in the model, so their guards are none here."""
    assert plain("{ guard(rcu)(); g(); goto out; out: h(); }") == plain(
        "{ g(); goto out; out: h(); }"
    )
