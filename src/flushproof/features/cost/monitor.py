"""The claim whose failures are costs: a call issues fewer than `most` hypercalls.

In: a number of roots. Out: a claim in the language of all claims, so that engine, interpreter and
messages treat it like any other. `most` is a witness: each failure is a call with that many.
"""

from __future__ import annotations

from itertools import combinations

from flushproof.frontend.c.parser import ParseContext
from flushproof.frontend.spec.parser import parse_spec
from flushproof.frontend.spec.syntax import ClaimSpec
from flushproof.support.source import Source

MOST = "most"

_TEXT = """\
claim {name} "a call issues fewer than `most` hypercalls while vCPUs run on {roots}" {{
	any call c;
	{witnesses}
	any gfn {most};
	bool loading[], counts;
	u64 calls;

	on enter load(v) {{ loading[v] = true; counts = false; }}
	on return load(v) {{ loading[v] = false; }}
	on enter c() {{
		calls = 0;
		counts = {distinct} && {used} && every(v, !loading[v] && ({among}));
	}}
	on hypercall(x) in c {{
		if (counts) {{
			calls++;
			assert(calls < {most});
		}}
	}}

	headline "a call can issue {{calls}} hypercalls while vCPUs run on {roots}";
	because "this call issued {{c.calls}}";
}}
"""


def name_of(roots: int) -> str:
    """Return the name of the claim about so many roots."""
    return f"cost_of_{roots}"


def witness_of(roots: int) -> str:
    """Return the name of the field that holds the claim's `most`."""
    return f"{name_of(roots)}:{MOST}"


def text_of(roots: int) -> str:
    """Return the claim about calls during which vCPUs run on exactly so many different roots.

    They do so from the entry of the call on, and no load is under way or begins.
    """
    names = [f"r{k}" for k in range(roots)]
    unequal = [f"{a} != {b}" for a, b in combinations(names, 2)]
    return _TEXT.format(
        name=name_of(roots),
        roots="1 root" if roots == 1 else f"{roots} roots",
        most=MOST,
        witnesses=" ".join(f"any root {n};" for n in names),
        distinct=" && ".join([*(f"{n} != NONE" for n in names), *unequal]),
        used=" && ".join(f"some(v, runs_on[v] == {n})" for n in names),
        among=" || ".join(f"runs_on[v] == {n}" for n in ("NONE", *names)),
    )


def claim_of(roots: int, context: ParseContext) -> ClaimSpec:
    """Return the claim about so many roots, parsed."""
    file = parse_spec(Source(f"{name_of(roots)}.claims", text_of(roots)), context)
    return file.claims[0]
