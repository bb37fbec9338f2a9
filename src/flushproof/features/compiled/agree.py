"""Whether gcc and the interpreter agree about a variant: the same state after each operation.

In: a machine. Out: an `Opinion` of gcc's, or an error that shows where they differ.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from itertools import zip_longest
from pathlib import Path
from typing import ClassVar

from flushproof.engines.interpreter import interpreter
from flushproof.features.compiled.inputs import LENGTH, InputStep, Sequence, random_sequences
from flushproof.features.compiled.interpreted import UNDEFINED, interpret_sequence
from flushproof.features.compiled.program import driven_text, fields_shown, refuse_variant
from flushproof.features.reproduce.layout import ObjectLayout, layout_objects
from flushproof.ir.program import Role
from flushproof.machine.build import Machine
from flushproof.results.second_opinion import Opinion
from flushproof.support.diagnostics import EXIT_USAGE, Diagnostic, InputError
from flushproof.support.errors import InternalError
from flushproof.support.record import Record
from flushproof.support.source import Span
from flushproof.support.wording import count_noun

COUNT = 150
"""How many sequences a variant is run on."""
SECONDS = 120
FLAGS = (
    *("-std=gnu11", "-O0", "-fwrapv", "-fno-strict-aliasing"),
    # A variable without a value may hold anything; here it is 0 on both sides.
    "-ftrivial-auto-var-init=zero",
    # What is undefined ends the run, without a library that may not be there.
    "-fsanitize=shift-exponent,integer-divide-by-zero,null,unreachable,bounds",
    "-fsanitize-undefined-trap-on-error",
    *("-Werror=return-type", "-Werror=implicit-function-declaration"),
)
_ERROR = re.compile(r"^(.*?):(\d+):(\d+): (?:fatal )?error: (.*)$", re.MULTILINE)


class NoCompiler(Diagnostic, frozen=True, kw_only=True):
    """A second opinion is asked for of a compiler that is not there."""

    CODE: ClassVar[str] = "FP0131"
    TITLE: ClassVar[str] = "gcc is not installed"
    HELP: ClassVar[str] = "install gcc, or leave out `--agree gcc`"
    EXIT: ClassVar[int] = EXIT_USAGE


class NotCompiled(Diagnostic, frozen=True, kw_only=True):
    """A variant that gcc does not accept."""

    CODE: ClassVar[str] = "FP0921"
    TITLE: ClassVar[str] = "gcc does not accept this: {reason}"
    reason: str


def compare_with_gcc(machine: Machine, number: int = COUNT) -> Opinion:
    """Return on how many operations gcc and the interpreter agree, which is all of them.

    Raises:
        InputError: gcc is not installed, or cannot be asked about this variant.
        InternalError: they do not agree.
    """
    version = _version()
    wanted = random_sequences(machine, number, machine.setup.variant.sha256)
    theirs = _split(_run(machine, wanted))
    where = layout_objects(machine)
    for sequence, lines in zip(wanted, theirs, strict=True):
        ours = interpret_sequence(machine, where, sequence)
        _compare(machine, where, sequence, ours, lines, version)
    asked = number * LENGTH
    return Opinion(version, asked, asked)


def _version() -> str:
    if shutil.which("gcc") is None:
        raise InputError(NoCompiler(span=None))
    return f"gcc {_call(['gcc', '-dumpfullversion'], None).stdout.strip()}"


def _run(machine: Machine, wanted: tuple[Sequence, ...]) -> str:
    text = driven_text(machine)
    with tempfile.TemporaryDirectory(prefix="flushproof-") as folder:
        (Path(folder) / "driven.c").write_text(text, encoding="utf-8")
        made = _call(["gcc", *FLAGS, "-o", "driven", "driven.c"], folder)
        if made.returncode:
            raise InputError(_not_compiled(machine, made.stderr))
        try:
            done = _call(["./driven"], folder, "".join(s.commands() for s in wanted))
        except subprocess.TimeoutExpired as error:
            raise refuse_variant(machine, f"it runs longer than {SECONDS} s") from error
    if done.returncode:
        raise InternalError(f"the driver of `{machine.setup.variant.name}` ends with an error")
    return done.stdout


def _call(
    command: list[str], folder: str | None, given: str = ""
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603 - the compiler, and what it made
        command,
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
        input=given,
        timeout=SECONDS,
        env={**os.environ, "LC_ALL": "C"},
    )


def _not_compiled(machine: Machine, said: str) -> Diagnostic:
    """Return gcc's first complaint, at its place where that is in the variant."""
    found = _ERROR.search(said)
    if found is None:
        return NotCompiled(span=None, reason=said.strip().splitlines()[-1] if said else "")
    file, line, column, reason = found.groups()
    span = None
    if file == machine.setup.variant.name:
        at, begin = int(line), int(column)
        span = Span(file, at, begin, at, begin + 1)
    return NotCompiled(span=span, reason=reason.replace("\u2018", "`").replace("\u2019", "`"))


def _split(said: str) -> list[list[str]]:
    """Return the driver's lines, a list for each sequence."""
    parts = said.split("end\n")
    return [[line.strip() for line in part.splitlines()] for part in parts[:-1]]


def _compare(
    machine: Machine,
    where: ObjectLayout,
    sequence: Sequence,
    ours: list[str],
    theirs: list[str],
    version: str,
) -> None:
    for at, (own, other) in enumerate(zip_longest(ours, theirs, fillvalue="")):
        if own.endswith(UNDEFINED):
            return
        if own != other:
            told = _Difference(machine, where, sequence, at).told(own, other, version)
            raise InternalError(told)


class _Difference(Record, frozen=True):
    """Two states after the same operations, of which `at` have been made."""

    machine: Machine
    where: ObjectLayout
    sequence: Sequence
    at: int

    def told(self, ours: str, theirs: str, version: str) -> str:
        """Return both states under the operations that lead to them."""
        name = self.machine.setup.variant.name
        vcpus = count_noun(self.sequence.vcpus, "vCPU")
        done = [f"    {self._operation(s)}" for s in self.sequence.steps[: self.at]]
        after = ["  after boot"] if not done else ["  after these operations:", *done]
        lines = [
            f"gcc and the interpreter disagree about `{name}` with {vcpus}",
            *after,
            f"  {version}:",
            *self._state(theirs, ours),
            "  the interpreter:",
            *self._state(ours, theirs),
        ]
        return "\n".join(lines)

    def _operation(self, s: InputStep) -> str:
        operation = self.machine.base.operations[s.operation]
        p = operation.parameters
        known = {p.vcpu: s.vcpu, p.root: s.root, p.start: s.start, p.pages: s.pages}
        given = [f"{x.name} = {value:#x}" for x, value in known.items() if x is not None]
        vcpus = self.sequence.vcpus
        given += [f"{x.name} = {(s.vcpu + 1 + k) % vcpus:#x}" for k, x in enumerate(p.others)]
        given += [f"{x.name} = {s.free[k % len(s.free)]:#x}" for k, x in enumerate(p.free)]
        if p.whole is not None and s.whole:
            given.append("everything")
        results = ", ".join(str(r) for r in s.results)
        who = "" if operation.role is Role.LOAD else f"; hypercalls return {results}"
        return f"{operation.name}({', '.join(given)}){who}"

    def _state(self, line: str, other: str) -> list[str]:
        """Return a line of the driver with names, and a mark where the other line differs."""
        words, others = line.split(), other.split()
        fields = fields_shown(self.machine, self.where)
        names = [
            f.label if x[1] is None else f"{f.label} of vCPU{x[1]}"
            for f in fields
            for x in interpreter.field_locations(f, self.sequence.vcpus)
        ]
        begin = len(words) - len(names) - 1
        if begin < 0:
            return [f"    {line or 'the run ends'}"]
        told = ["hypercalls and result", *names, "anything else changed"]
        values = [" ".join(words[:begin]), *words[begin:]]
        against = [" ".join(others[: len(others) - len(names) - 1]), *others[-len(names) - 1 :]]
        return [
            f"    {'*' if v != (against[k] if k < len(against) else '') else ' '} {n} = {v}"
            for k, (n, v) in enumerate(zip(told, values, strict=True))
            if v
        ]
