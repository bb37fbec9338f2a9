"""Names that are nearly those of functions the machine knows: slips of the pen.

What a kernel file calls and nobody defines is taken to be outside the model. A misspelt lock or
hypercall would be left out that way, so such a name is refused.
"""

from __future__ import annotations

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Sort
from flushproof.frontend.c.type_errors import UnknownFunction
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.support.diagnostics import InputError

SHORTEST = 5
"""So long are the names that one slip makes suspect."""
LONG = 10
"""So long are those of which two do."""


def refuse_misspelt(known: ResolvedNames, body: Body) -> None:
    """Refuse a call of a function that is not defined and nearly has the name of a known one.

    Raises:
        InputError: there is such a call.
    """
    prelude = known.base.prelude.functions
    table = known.base.context.macros.table
    names = {*prelude, *(m.name for m in table.values() if m.parameters is not None)}
    for node in walk(body.function.body) if body.function.body else ():
        if isinstance(node, c.CallExpr) and isinstance(node.function, c.Name):
            called = node.function
            meant = nearest_name(called.id, names)
            if meant and not _defined(known, called.id, body):
                hint = f" (did you mean `{meant}`?)"
                raise InputError(UnknownFunction(span=called.span, name=called.id, hint=hint))


def _defined(known: ResolvedNames, name: str, body: Body) -> bool:
    library = known.library
    sorts = (Sort.FUNCTION, Sort.PROTOTYPE)
    if any(library.find(sort, name, body.where) for sort in sorts):
        return True
    return body.where.outline.macro(name) is not None or library.macro(name) is not None


def nearest_name(name: str, names: set[str]) -> str:
    """Return the known name that a name is a slip of, "" where it is known or like none."""
    if name in names or len(name) < SHORTEST or name.startswith("__"):
        return ""
    most = 2 if len(name) >= LONG else 1
    near = (n for n in sorted(names) if not n.startswith("__") and abs(len(n) - len(name)) <= most)
    return next((n for n in near if count_slips(name, n, most) <= most), "")


def count_slips(a: str, b: str, most: int) -> int:
    """Return how many letters are wrong, missing, added or swapped, or more than `most`.

    This is the distance of Damerau (1964), in which no letter is changed twice.
    """
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        last, before, row = before, row, [i]
        for j, y in enumerate(b, 1):
            least = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                least = min(least, last[j - 2] + 1)
            row.append(least)
        if min(row) > most:
            return most + 1
    return row[-1]
