"""What the creation of VMs and vCPUs sets, read off the code that does it where it is at hand.

That code is not parsed: assignments of one word to a member of the state are looked for in the text
of the file, its companions and the files beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from flushproof.kernel.library import Library

_CREATES = re.compile(r"creat|init|alloc|setup")
_VCPU = re.compile(r"vcpu|(?<!kvm_)(vmx|svm)")
_HEADER = re.compile(r"^[A-Za-z_][^;={}]*?\b(\w+)[ \t]*\(", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Setting:
    """`function` in `file` assigns `value`, a word or "" for anything else, to `member`.

    `vcpu` tells whether the place it is assigned in is one of a vCPU, by the words used for it.
    """

    member: str
    vcpu: bool
    value: str
    function: str
    file: str

    @property
    def creates(self) -> bool:
        """Tell whether this is part of creating a VM or a vCPU."""
        return _CREATES.search(self.function) is not None and self.value != ""


def settings(library: Library, members: Iterable[str], own: frozenset[str]) -> tuple[Setting, ...]:
    """Return the assignments to members outside the functions of the slice."""
    found: dict[tuple[str, bool, str, str], Setting] = {}
    for path, text in _texts(library):
        for member in members:
            if member not in text:
                continue
            for s in _in_text(text, member, path.name):
                if s.function not in own:
                    found.setdefault((s.member, s.vcpu, s.value, s.function), s)
    return tuple(found.values())


def _texts(library: Library) -> Iterator[tuple[Path, str]]:
    yield library.path, library.main.outline.source.text
    seen = {library.path.resolve()}
    near = (library.path, *library.companions)
    beside = [p for c in near for p in sorted(c.parent.glob("*.c"))[:200]]
    folders = (library.path.parent.parent / "x86.c",)
    for path in (*near, *beside, *folders):
        if path.resolve() not in seen:
            seen.add(path.resolve())
            yield path, library.text(path)


def _in_text(text: str, member: str, file: str) -> Iterator[Setting]:
    pattern = re.compile(rf"([\w>().\[\] -]*)(?:->|\.){re.escape(member)}\s*=(?!=)\s*([^;]*);")
    for found in pattern.finditer(text):
        value = found[2].strip()
        word = value if re.fullmatch(r"\w+", value) else ""
        vcpu = _VCPU.search(found[1]) is not None
        yield Setting(member, vcpu, word, _function(text, found.start()), file)


def _function(text: str, position: int) -> str:
    """Return the function around a place: the last line before it that begins one."""
    before = text.rfind("\n{", 0, position)
    start = text.rfind("\n\n", 0, max(before, 0)) + 1
    headers = _HEADER.findall(text, max(start, 0), max(before, 0) + 1)
    return headers[-1] if headers else ""
