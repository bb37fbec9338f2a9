"""What becomes of guards, against gcc: the kernel's way to write them, by destructors, is compiled.

Random functions are compiled as they stand, with `guard` and `scoped_guard` as macros around gcc's
`cleanup`, and once more as they are rewritten. Both must take and free locks in the same order.
"""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from flushproof.frontend.c import printer
from flushproof.frontend.c.parser import ParseContext, parse_c
from flushproof.support.source import Source
from support.small_c import have_gcc
from support.tiers import lumps

COUNT = 150
INPUTS = 16

BEFORE = """
#include <stdio.h>
#include <string.h>
struct mutex { int at; };
static struct mutex locks[4];
static struct mutex *chosen;
static char said[4096], *to;
static int fuel;
static void note(char c, int n) { if (to < said + 4000) to += sprintf(to, "%c%d ", c, n); }
static void mutex_lock(struct mutex *m) { note('+', m->at); }
static void mutex_unlock(struct mutex *m) { note('-', m->at); }
static int seen(int n) { note('s', n); return n; }
static int more(void) { return fuel-- > 0; }
static void choose(int n) { chosen = &locks[n & 3]; }
static void free_it(struct mutex **m) { if (*m) mutex_unlock(*m); }
static struct mutex *take(struct mutex *m) { mutex_lock(m); return m; }
#define JOIN(a, b) a##b
#define NAMED(a, b) JOIN(a, b)
#define guard(x) struct mutex *NAMED(guard_, __COUNTER__) __attribute__((cleanup(free_it))) = take
#define scoped_guard(x, m) \\
	for (struct mutex *scope __attribute__((cleanup(free_it))) = take(m), *done = NULL; \\
		scope && !done; done = (void *)1)
"""
MAIN = """
int main(void)
{{
	for (int n = 0; n < 4; n++) locks[n].at = n;
	for (int f = 0; f < {count}; f++)
		for (int a = 0; a < {inputs}; a++) {{
			to = said; fuel = 6; choose(a >> 2);
			int got = functions[f](a);
			printf("%s= %d\\n", said, got);
		}}
	return 0;
}}
"""


class Writer:
    """Writes one random function."""

    def __init__(self, seed: str) -> None:
        self.pick = random.Random(seed)
        self.labels = 0

    def text(self, name: str) -> str:
        """Return a function of one argument."""
        return f"static int {name}(int a)\n{{\n{self.body(3, loop=False)}\treturn seen(a);\n}}\n"

    def body(self, depth: int, *, loop: bool) -> str:
        lines = [self.statement(depth, loop=loop) for _ in range(self.pick.randint(2, 4))]
        if depth and self.pick.random() < 0.4:
            self.labels += 1
            lines.insert(
                self.pick.randint(1, len(lines)), f"if ({self.test()}) goto out{self.labels};"
            )
            lines.append(f"out{self.labels}: seen(7);")
            if any("guard(" in x.split("{")[0] for x in lines[2:-1]):
                return self.body(depth, loop=loop)
        return "".join(f"\t{x}\n" for x in lines)

    def test(self) -> str:
        return f"a & {1 << self.pick.randint(0, 3)}"

    def lock(self) -> str:
        return self.pick.choice(["&locks[0]", "&locks[1]", "chosen", "&locks[a & 3]"])

    def leave(self, *, loop: bool) -> str:
        ways = ["return seen(a + 1);", "return 5;", "return *said + a;"]
        ways += ["break;", "continue;"] if loop else []
        return self.pick.choice(ways)

    def statement(self, depth: int, *, loop: bool) -> str:
        inner = max(depth - 1, 0)
        leave = f"if ({self.test()}) {self.leave(loop=loop)}"
        simple = [
            f"guard(mutex)({self.lock()});",
            f"seen({self.pick.randint(10, 99)});",
            f"choose({self.pick.randint(0, 3)});",
            leave,
            f"seen(({{ if ({self.test()}) {self.leave(loop=loop)} 3; }}));",
        ]
        if not depth:
            return self.pick.choice(simple)
        block = self.body(inner, loop=loop)
        again = self.body(inner, loop=True)
        deep = [
            f"{{\n{block}\t}}",
            f"if ({self.test()}) {{\n{block}\t}} else {{\n{self.body(inner, loop=loop)}\t}}",
            f"while (more()) {{\n{again}\t}}",
            f"do {{\n{again}\t}} while (more());",
            f"scoped_guard(mutex, {self.lock()}) {{\n{again}\t}}",
            f"seen(({{ {{\n{block}\t}} 4; }}));",
            f"switch (a & 3) {{ case 0: {{\n{block}\t}} case 1: seen(1); break; default: {leave} }}"
            if not loop
            else leave,
        ]
        return self.pick.choice([*simple, *deep, *deep])


def rewritten(text: str) -> str:
    """Return a function without guards, as C."""
    unit, _ = parse_c(Source("x.c", text), ParseContext())
    return "static " + printer.print_item(unit.items[0]).replace("guarded@", "guarded_")


def traces(folder: Path, functions: list[str]) -> list[str]:
    """Compile functions and return what each says on each input."""
    names = ", ".join(f"f{n}" for n in range(len(functions)))
    table = f"static int (*functions[])(int) = {{ {names} }};\n"
    main = MAIN.format(count=len(functions), inputs=INPUTS)
    (folder / "x.c").write_text(BEFORE + "\n".join(functions) + table + main)
    flags = ["-std=gnu11", "-w", "-O0", "x.c", "-o", "x"]
    made = subprocess.run(["gcc", *flags], cwd=folder, check=False, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    done = subprocess.run([folder / "x"], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


@pytest.mark.skipif(not have_gcc(), reason="there is no gcc")
@pytest.mark.parametrize("seeds", lumps(0, COUNT, COUNT, quick=10), ids=str)
def test_locks_are_taken_and_freed_as_compiled(seeds: range, tmp_path: Path) -> None:
    """A way out on which a lock is kept, or freed twice, is one that the kernel does not have."""
    texts = [Writer(f"guards {n}").text(f"f{k}") for k, n in enumerate(seeds)]
    compiled = traces(tmp_path, texts)
    assert compiled == traces(tmp_path, [rewritten(t) for t in texts])
    assert sum("+" in line for line in compiled) > len(compiled) // 2
    assert all(line.count("+") == line.count("-") for line in compiled)
