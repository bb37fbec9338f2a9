"""Classes of slots that are represented alike, and where values go from slot to slot."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from flushproof.ir.code import Field, Local


class Mark(StrEnum):
    """What is done to the members of a class."""

    ROOT = "root"
    EQUAL = "equal"
    OR = "or"
    LOW = "low"
    ARITHMETIC = "arithmetic"
    CONVERT = "convert"
    NARROW = "narrow"
    OPEN = "open"
    BITS = "bits"


Slot = tuple[str, Local] | Field | int
"""A local of an operation, a field, or the number of a node of an expression."""


class Classes:
    """Union-find over slots and expression nodes, with marks and constants for each class."""

    def __init__(self) -> None:
        self.parent: dict[Slot, Slot] = {}
        self.marks: dict[Slot, set[Mark]] = {}
        self.constants: dict[Slot, set[int]] = {}

    def find(self, slot: Slot) -> Slot:
        """Return the slot that stands for the class of a slot, which may be new."""
        if slot not in self.parent:
            self.parent[slot] = slot
            self.marks[slot] = set()
            self.constants[slot] = set()
        root = slot
        while self.parent[root] != root:
            root = self.parent[root]
        while self.parent[slot] != root:
            self.parent[slot], slot = root, self.parent[slot]
        return root

    def member(self, slot: Slot) -> Slot:
        """Return a slot that is sure to be in a class."""
        self.find(slot)
        return slot

    def union(self, a: Slot, b: Slot) -> Slot:
        """Merge the classes of two slots; return the slot that stands for it."""
        a, b = self.find(a), self.find(b)
        if a != b:
            self.parent[b] = a
            self.marks[a] |= self.marks[b]
            self.constants[a] |= self.constants[b]
        return a

    def mark(self, slot: Slot, mark: Mark) -> None:
        """Mark the class of a slot."""
        self.marks[self.find(slot)].add(mark)


class Flow:
    """Where values go, and which slots hold values that come from nowhere at first."""

    def __init__(self) -> None:
        self.into: dict[Slot, set[Slot]] = {}
        self.unknown: set[Slot] = set()

    def assign(self, target: Slot, sources: Iterable[Slot]) -> None:
        """Note that the value of a slot may be made of those of others."""
        for source in sources:
            self.into.setdefault(source, set()).add(target)

    def reached(self) -> set[Slot]:
        """Return the slots that may hold a value from nowhere, or one made of it."""
        found: set[Slot] = set()
        work = list(self.unknown)
        while work:
            slot = work.pop()
            if slot not in found:
                found.add(slot)
                work.extend(self.into.get(slot, ()))
        return found
