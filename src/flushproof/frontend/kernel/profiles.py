"""The generations of the code as data: which functions are the operations, what is set at creation.

`kernel.profiles` is a spec file in which a spec is a profile, newest first. The functions named for
a role are candidates; what cannot be found in a file is left out of consideration.
"""

from __future__ import annotations

from functools import cache

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.builtin_headers import builtin_headers
from flushproof.frontend.spec.builtin import read_shipped
from flushproof.frontend.spec.parser import parse_spec
from flushproof.frontend.spec.syntax import Spec
from flushproof.support.record import Record
from flushproof.support.resources import PROFILES
from flushproof.support.source import Source


class Profile(Record, frozen=True):
    """One generation."""

    spec: Spec

    @property
    def name(self) -> str:
        """The versions of Linux it stands for."""
        return self.spec.name.replace("_to_", "..").removeprefix("linux_").replace("_", ".")

    def functions(self, role: str) -> tuple[str, ...]:
        """Return the candidates for a role."""
        return tuple(o.function for o in self.spec.operations if o.role == role)

    @property
    def state(self) -> frozenset[str]:
        """The names of the struct members that the profile speaks of."""
        nodes = [n for cache_ in self.spec.caches for n in walk(cache_.condition)]
        nodes += [n for cache_ in self.spec.caches for n in walk(cache_.root)]
        return frozenset(n.name for n in nodes if isinstance(n, c.Member)) - {"arch"}


@cache
def read_profiles() -> tuple[Profile, ...]:
    """Read the profiles, newest first."""
    return tuple(
        Profile(spec) for spec in parse_spec(profiles_source(), builtin_headers().context).specs
    )


@cache
def profiles_source() -> Source:
    """Return the text of the profiles."""
    return read_shipped(PROFILES)


def candidate_functions(role: str) -> tuple[str, ...]:
    """Return the functions that any profile names for a role."""
    return tuple(dict.fromkeys(f for p in read_profiles() for f in p.functions(role)))


def choose_profile(flush: str, load: str, members: frozenset[str]) -> Profile:
    """Return the profile that speaks most of a file's functions and of its state."""

    def fit(profile: Profile) -> tuple[bool, int]:
        named = (flush in profile.functions("flush")) + (load in profile.functions("load"))
        return bool(profile.state) and profile.state <= members, named

    return max(read_profiles(), key=fit)
