"""What a variant includes: files beside it, which are read, and headers the prelude stands for.

A name in quotes is looked for beside the file that includes it, and must lie in the variant's
folder or below; a variant can come from anybody. Whatever else is included is refused: what it
says is not known.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final

from flushproof.frontend.c.load import load_source
from flushproof.frontend.c.preprocess import Include
from flushproof.frontend.spec.path_confinement import confine_path
from flushproof.support.diagnostics import Diagnostic, InputError, Note, suggest_closest
from flushproof.support.record import replace
from flushproof.support.source import Source, Span

PROVIDED: Final = frozenset(
    [
        "asm/barrier.h",
        "asm/cmpxchg.h",
        "asm/kvm_host.h",
        "asm/mshyperv.h",
        "asm/page.h",
        "asm/page_types.h",
        "asm/vmx.h",
        "limits.h",
        "linux/align.h",
        "linux/array_size.h",
        "linux/atomic.h",
        "linux/bits.h",
        "linux/bug.h",
        "linux/build_bug.h",
        "linux/cleanup.h",
        "linux/compiler.h",
        "linux/container_of.h",
        "linux/errno.h",
        "linux/export.h",
        "linux/init.h",
        "linux/kernel.h",
        "linux/kvm.h",
        "linux/kvm_host.h",
        "linux/kvm_types.h",
        "linux/limits.h",
        "linux/lockdep.h",
        "linux/math.h",
        "linux/minmax.h",
        "linux/module.h",
        "linux/mutex.h",
        "linux/printk.h",
        "linux/rwlock.h",
        "linux/rwsem.h",
        "linux/spinlock.h",
        "linux/spinlock_types.h",
        "linux/stddef.h",
        "linux/types.h",
        "stdbool.h",
        "stddef.h",
        "stdint.h",
    ]
)
"""Headers of which a variant uses nothing but what the prelude has."""
DEEPEST: Final = 20
MOST: Final = 200


class NoHeader(Diagnostic, frozen=True, kw_only=True):
    """A header that is neither beside the file nor known."""

    CODE: ClassVar[str] = "FP0514"
    TITLE: ClassVar[str] = "cannot find `{name}`, which is included here{hint}"
    HELP: ClassVar[str] = "put it beside the file, or leave the line out if nothing of it is used"
    name: str
    hint: str = ""


class EndlessInclusion(Diagnostic, frozen=True, kw_only=True):
    """Files include each other beyond reason."""

    CODE: ClassVar[str] = "FP0515"
    TITLE: ClassVar[str] = "{what}"
    what: str


@dataclass
class Headers:
    """Finds what a variant includes; `place` is where its text is meant to stand."""

    variant: Source
    place: Path
    sources: list[Source] = field(default_factory=list)
    provided: dict[str, None] = field(default_factory=dict)
    opened: int = 0
    open: list[Path] = field(default_factory=list)

    def enter(self, include: Include) -> Source | None:
        """Return the text that an inclusion stands for, None where the prelude has it.

        Raises:
            InputError: there is no such file, or it is not to be read.
        """
        self.opened += 1
        if len(self.open) >= DEEPEST or self.opened > MOST:
            deep = len(self.open) >= DEEPEST
            what = f"files include each other deeper than {DEEPEST} levels"
            what = what if deep else f"more than {MOST} files are included"
            raise InputError(EndlessInclusion(span=include.span, what=what))
        if include.name in PROVIDED and not (include.quoted and self._beside(include)):
            self.provided.setdefault(include.name)
            return None
        if not include.quoted:
            hint = suggest_closest(include.name, PROVIDED)
            raise InputError(NoHeader(span=include.span, name=include.name, hint=hint))
        return self._read(include)

    def leave(self) -> None:
        """Note that the file entered last has ended."""
        self.open.pop()

    @property
    def assumed(self) -> tuple[str, ...]:
        """What is taken for granted of what was included, in words."""
        if not self.provided:
            return ()
        names = ", ".join(f"<{name}>" for name in self.provided)
        return (f"the prelude stands for {names}",)

    def _folder(self) -> Path:
        """Return the folder of the file that is being read."""
        return (self.open[-1] if self.open else self.place).parent

    def _relative(self, include: Include) -> str:
        """Return the name of a file as seen from the variant's folder."""
        return str(self._folder().relative_to(self.place.parent) / include.name)

    def _beside(self, include: Include) -> bool:
        try:
            confine_path(self.place.parent, self._relative(include), include.span)
        except InputError:
            return False
        return True

    def _read(self, include: Include) -> Source:
        path = confine_path(self.place.parent, self._relative(include), include.span)
        try:
            found = load_source(path)
        except InputError as error:
            raise InputError(*(_named(d, include.span) for d in error.diagnostics)) from error
        self.open.append(path)
        if found.name not in {s.name for s in self.sources}:
            self.sources.append(found)
        return found


def _named(d: Diagnostic, span: Span) -> Diagnostic:
    return replace(d, span=d.span or span, notes=(*d.notes, Note("included here", span)))
