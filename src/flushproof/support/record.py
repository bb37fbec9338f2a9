"""Plain data: what a frozen dataclass is elsewhere, by msgspec.

Defining one is about forty times as fast as a dataclass with slots, which counts as three hundred
are defined at every start, and making one eight times as fast, which counts everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from operator import attrgetter

from msgspec import Struct as Record
from msgspec import field
from msgspec.structs import fields, replace

__all__ = ["Placed", "Record", "field", "fields", "replace"]


class Placed(Record, frozen=True):
    """What stands somewhere in a text: equal to its like at another place.

    The fields that tell places are `span` and `site`.
    """

    def __eq__(self, other: object) -> bool:
        if self.__class__ is not other.__class__:
            return NotImplemented
        content = _content(self.__class__)
        return content(self) == content(other)

    def __hash__(self) -> int:
        return hash((self.__class__, _content(self.__class__)(self)))


@cache
def _content(kind: type[Placed]) -> Callable[[object], object]:
    names = [name for name in kind.__struct_fields__ if name not in ("span", "site")]
    return attrgetter(*names) if names else lambda _: ()
