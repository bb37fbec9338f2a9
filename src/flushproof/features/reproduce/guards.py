"""`guard()` and `scoped_guard()` in C, as the kernel has them: variables with a destructor."""

from __future__ import annotations

import re

from flushproof.frontend.c.scoped_guards import lock_type

_CLASS = re.compile(r"\b(?:scoped_)?guard[ \t\n]*\([ \t\n]*(\w+)")

MACROS = """
#define GUARD_JOINED(a, b) a##b
#define GUARD_NAMED(n) GUARD_JOINED(guard_, n)
#define GUARD_FREED(class) __attribute__((unused, cleanup(guard_##class##_give)))
#define guard(class) guard_##class##_t GUARD_FREED(class) \\
	GUARD_NAMED(__COUNTER__) = guard_##class##_take
#define scoped_guard(class, ...) \\
	for (guard_##class##_t guard_scope GUARD_FREED(class) = guard_##class##_take(__VA_ARGS__), \\
		guard_once = (void *)0; !guard_once; guard_once = (void *)1)
"""
CLASS = """
typedef {type} *guard_{name}_t;
MAYBE static inline {type} *guard_{name}_take({type} *lock) {{ {take}(lock); return lock; }}
MAYBE static inline void guard_{name}_give({type} **lock) {{ {give}(*lock); }}
"""


def guard_macros(text: str) -> str:
    """Return what a text needs for its guards, "" where it has none."""
    names = sorted(set(_CLASS.findall(text)))
    known = {name: lock_type(name) for name in names}
    classes = [
        CLASS.format(name=name, type=found[0], take=found[1], give=found[2])
        for name, found in known.items()
        if found is not None
    ]
    return "".join((MACROS, *classes)) if classes else ""
