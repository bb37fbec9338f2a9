"""Code rewritten an instruction at a time, so that jumps lead where they led before.

In: code, and what to put in the place of each instruction. Out: new code in an emitter. What is put
there may be any number of instructions with labels of their own; a jump to an instruction becomes a
jump to the first of what stands in its place.
"""

from __future__ import annotations

from collections.abc import Callable

from flushproof.ir.analysis.def_use import defined_local, used_locals
from flushproof.ir.builder import Emitter, Label
from flushproof.ir.code import Branch, Instr, Jump, Stop
from flushproof.support.record import replace


class CodeRewriter:
    """Rewrites code into an emitter; `labels` stand for its positions."""

    def __init__(self, emitter: Emitter, code: tuple[Instr, ...]) -> None:
        self.emitter = emitter
        self.code = code
        self.labels: list[Label] = [emitter.label() for _ in code]
        # A new local of an old name would change what the code computes.
        known = (x for i in code for x in (*used_locals(i), defined_local(i)) if x is not None)
        emitter.reserve(x.name for x in known)

    def run(self, rewrite: Callable[[int, Instr], None]) -> tuple[Instr, ...]:
        """Have each instruction rewritten in turn; return the new code."""
        self.rewrite_all(rewrite)
        return self.emitter.finish()

    def rewrite_all(self, rewrite: Callable[[int, Instr], None]) -> None:
        """Have each instruction rewritten in turn, in an emitter to which more is added."""
        for at, instr in enumerate(self.code):
            self.emitter.place(self.labels[at])
            rewrite(at, instr)

    def keep(self, instr: Instr) -> None:
        """Append an instruction as it is, the code's or a claim's, with its jumps led right.

        The end is left out: new code has an end of its own.
        """
        match instr:
            case Stop():
                pass
            case Jump(target):
                self.emitter.copy(replace(instr, target=self.labels[target].number))
            case Branch(_, then, otherwise):
                yes, no = self.labels[then].number, self.labels[otherwise].number
                self.emitter.copy(replace(instr, then=yes, otherwise=no))
            case _:
                self.emitter.copy(instr)
