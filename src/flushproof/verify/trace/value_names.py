"""Names for values: roots are A, B, C in order of appearance, vCPUs vCPU0, enumerators."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import takewhile
from string import ascii_uppercase

from flushproof.engines.interpreter.interpreter import Happening, Location
from flushproof.ir.analysis.representation import LOW, Kinds
from flushproof.ir.code import Field, Write
from flushproof.ir.types import BOOL, NO_VCPU, NONE, ROOT, LockWord, Type, VcpuRef
from flushproof.support.record import Record

INVALID = (1 << 64) - 1
PLAIN = {0: "0", INVALID: "INVALID", INVALID & ~LOW: "INVALID & PAGE_MASK", NONE: "none"}


class Names(Record, frozen=True):
    """How values are called in one trace."""

    letters: Mapping[int, str]
    kinds: Kinds
    enums: Mapping[str, Mapping[int, str]]

    def root(self, value: int) -> str:
        """Name a root, or what was taken for one."""
        if value in PLAIN:
            return PLAIN[value]
        if value in self.letters:
            return self.letters[value]
        page, low = value & ~LOW, value & LOW
        if page in self.letters:
            return f"{self.letters[page]} | {low:#x}"
        return f"{low:#x}" if page == 0 else hex(value)

    def flushed(self, value: int) -> str:
        """Name the root of a hypercall, where every INVALID is as good as any other."""
        return "INVALID" if value == INVALID & ~LOW else self.root(value)

    def field(self, f: Field, value: int) -> str:
        """Name the value of a shared field."""
        if self.kinds.is_root(f) or f.type == ROOT:
            return self.root(value)
        if f.enum in self.enums and value in self.enums[f.enum]:
            return short_enumerator(self.enums[f.enum], value)
        return self.typed(f.type, value)

    def typed(self, t: Type, value: int) -> str:
        """Name a value of which only the type is known."""
        if isinstance(t, VcpuRef):
            return "NULL" if value == NO_VCPU else f"vCPU{value}"
        if isinstance(t, LockWord):
            return "free" if value == 0 else "held"
        if t == BOOL:
            return "true" if value else "false"
        return self.root(value) if t == ROOT else number_words(value)


def number_words(value: int) -> str:
    """Write a plain number, in hexadecimal where it is large."""
    return hex(value) if abs(value) > 0xFFFF else str(value)


def short_enumerator(names: Mapping[int, str], value: int) -> str:
    """Name an enumerator without the prefix that all of them share."""
    return names[value][_shared(names.values()) :] if len(names) > 1 else names[value]


def _shared(words: Collection[str]) -> int:
    """Return the length of the longest prefix of all words that ends in an underscore."""
    first, last = min(words), max(words)
    same = takewhile(lambda pair: pair[0] == pair[1], zip(first, last, strict=False))
    return "".join(a for a, _ in same).rfind("_") + 1


def place_name(f: Field, location: Location) -> str:
    """Name a shared location, such as `ept_pointer[1]`, or `vcpu1.pgd` where the VM has one too."""
    return f.label if location[1] is None else f.at(str(location[1]))


def thread_name(name: str) -> str:
    """Write a thread's name as a reader does: `vCPU1` for "vcpu1"."""
    return name.replace("vcpu", "vCPU")


def root_letters(happenings: list[Happening], ghost: str, begun: Collection[int]) -> dict[int, str]:
    """Give letters to the roots of loads in order of appearance.

    `ghost` is the field of hardware roots, `begun` the roots of all loads. A load's root first
    appears where it is written to the vCPU's own field, at the latest when the load returns; what
    appears nowhere comes last.
    """
    roots = set(begun) | {
        h.value
        for h in happenings
        if isinstance(h.instr, Write) and h.location is not None and h.location[0] == ghost
    }
    order: list[int] = []
    for h in happenings:
        value = h.value if h.value in roots else _page(h.value)
        if value in roots and value not in order and value not in PLAIN and value is not None:
            order.append(value)
    order += [value for value in dict.fromkeys(begun) if value not in order]
    return {value: root_letter(k) for k, value in enumerate(order)}


def _page(value: int | None) -> int | None:
    return None if value is None or value in PLAIN else value & ~LOW


def root_letter(k: int) -> str:
    """Name the root with number `k`: A, B, ..., Z, AA, AB, ..."""
    name = ""
    k += 1
    while k:
        k, rest = divmod(k - 1, 26)
        name = ascii_uppercase[rest] + name
    return name
