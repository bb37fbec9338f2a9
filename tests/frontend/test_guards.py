"""Locks that free themselves at the end of their block."""

from __future__ import annotations

import pytest

from flushproof.diagnostics import InputError
from flushproof.frontend import printer
from flushproof.frontend.parser import ParseContext, parse_c
from flushproof.source import Source

HEAD = "int f(struct mutex *m, int *p) "
TAKE = "mutex_lock(m);"
FREE = "mutex_unlock(m);"
GUARD = "guard(mutex)(m);"


def plain(body: str) -> str:
    """Return a function in words, without the blanks that only lay it out."""
    unit, _ = parse_c(Source("x.c", HEAD + body), ParseContext())
    return " ".join(" ".join(printer.item(i) for i in unit.items).split())


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


@pytest.mark.parametrize("body", [f"{{ {GUARD} m = 0; }}", "{ g(guard(mutex)(m)); }"])
def test_what_is_not_followed(body: str) -> None:
    """A guard whose lock cannot be told at the end is refused, with its place."""
    with pytest.raises(InputError) as caught:
        plain(body)
    assert caught.value.diagnostics[0].span is not None
