"""What the creation of VMs and vCPUs sets, read off the code that does it where it is at hand.

That code is not parsed: assignments of one word to a member of the state are looked for in the text
of the file, its companions and the files beside them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from flushproof.files import current
from flushproof.kernel.library import Library
from flushproof.record import Record

_CREATES = re.compile(r"creat|init|alloc|setup")
_VCPU = re.compile(r"vcpu|(?<!kvm_)(vmx|svm)")
_HEADER = re.compile(r"^(?:[A-Za-z_][^;={}]*?)?\b(?!__attribute)(\w+)[ \t]*\(", re.MULTILINE)


class Setting(Record, frozen=True):
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


def settings(
    library: Library, members: Iterable[tuple[str, str]], own: frozenset[str]
) -> tuple[Setting, ...]:
    """Return the assignments to members, given as (struct, member), outside of functions `own`."""
    found: dict[tuple[str, bool, str, str], Setting] = {}
    structs: dict[str, set[str]] = {}
    for struct, member in members:
        structs.setdefault(member, set()).add(struct)
    for path, text in _texts(library):
        for member in sorted(structs):
            if member not in text:
                continue
            for s in _in_text(text, member, structs[member], path.name):
                if s.function not in own:
                    found.setdefault((s.member, s.vcpu, s.value, s.function), s)
    return tuple(found.values())


def _texts(library: Library) -> Iterator[tuple[Path, str]]:
    yield library.path, library.main.outline.source.text
    real = current().real
    seen = {real(str(library.path))}
    near = (library.path, *library.companions)
    beside = [p for c in near for p in _sources(c.parent)]
    folders = (library.path.parent.parent / "x86.c",)
    for path in (*near, *beside, *folders):
        if real(str(path)) not in seen:
            seen.add(real(str(path)))
            yield path, library.text(path)


def _sources(folder: Path) -> list[Path]:
    """Return the C files in a folder, in the order of their names."""
    return [folder / name for name in current().names(str(folder)) if name.endswith(".c")][:200]


def _in_text(text: str, member: str, structs: set[str], file: str) -> Iterator[Setting]:
    pattern = re.compile(rf"(?:->|\.){re.escape(member)}\s*=(?!=)\s*([^;]*);")
    for found in pattern.finditer(text):
        value = found[1].strip()
        word = value if re.fullmatch(r"\w+", value) else ""
        base = _base(text, found.start())
        vcpu = _VCPU.search(base) is not None
        start, function = _function(text, found.start())
        if _pointed(text[start : found.start()], base) in {"", *structs}:
            yield Setting(member, vcpu, word, function, file)


def _base(text: str, end: int) -> str:
    """Return the expression before a member, as far as it stands on the line."""
    line = text[text.rfind("\n", 0, end) + 1 : end]
    found = re.search(r"[\w>().\[\] -]*$", line)
    return found[0] if found else ""


def _pointed(before: str, base: str) -> str:
    """Return the struct that a variable was declared a pointer to, "" where that is not seen."""
    if not re.fullmatch(r"\s*\w+", base):
        return ""
    name = base.strip()
    found = re.findall(rf"\bstruct\s+(\w+)\s*\*\s*(?:const\s+)?{name}\b", before)
    return found[-1] if found else ""


def _function(text: str, position: int) -> tuple[int, str]:
    """Return the function around a place, and where it begins: the last line before that does."""
    before = text.rfind("\n{", 0, position)
    start = max(text.rfind("\n\n", 0, max(before, 0)) + 1, 0)
    headers = _HEADER.findall(text, start, max(before, 0) + 1)
    return start, headers[-1] if headers else ""
