"""What the members of the VM and its vCPUs hold once they are created, and who else writes them.

The functions that create them are known by name. Where one is at hand it is gone through: what it
sets on every way is what a member holds, what it sets on no way is zero. Where none is at hand the
profile says what is usual.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flushproof.frontend.c import syntax as c
from flushproof.frontend.c.item_splitter import Item, Sort
from flushproof.frontend.c.walk import walk
from flushproof.frontend.kernel.creation import Creation
from flushproof.frontend.kernel.files_at_hand import pieces_with
from flushproof.frontend.kernel.fingerprint import digest_surroundings
from flushproof.frontend.kernel.library import FilePiece
from flushproof.frontend.kernel.name_resolution import Body, ResolvedNames
from flushproof.frontend.kernel.profiles import Profile
from flushproof.frontend.kernel.tracked import TrackedState
from flushproof.frontend.kernel.ways import ANYTHING, INVALID, ZERO, Key
from flushproof.frontend.kernel.writers import Writer, find_writers
from flushproof.support.diagnostics import InputError
from flushproof.support.record import Record

_COMMON_VM = ("kvm_arch_init_vm", "kvm_arch_create_vm")
_COMMON_VCPU = ("kvm_arch_vcpu_create", "kvm_arch_vcpu_init", "kvm_arch_vcpu_setup")
CREATORS: Mapping[str, tuple[str, ...]] = {
    "kvm": _COMMON_VM,
    "kvm_arch": _COMMON_VM,
    "kvm_vmx": ("vmx_vm_alloc", "vmx_vm_init", "vmx_init_vm"),
    "kvm_svm": ("svm_vm_alloc", "svm_vm_init"),
    "kvm_vcpu": _COMMON_VCPU,
    "kvm_vcpu_arch": _COMMON_VCPU,
    "vcpu_vmx": ("vmx_create_vcpu", "vmx_vcpu_create", "vmx_vcpu_setup"),
    "vcpu_svm": ("svm_create_vcpu", "svm_vcpu_create"),
}
"""The functions that create what is, or holds, a struct."""


class BootValues(Record, frozen=True):
    """What members hold at first, in C, but for those in `unsure`, and words about it.

    `unsure` are the members of which creation is not followed, or that depend on the way, each with
    a value that it may have; `others` write state at any time.
    """

    values: Mapping[Key, str]
    unsure: Mapping[Key, str]
    others: tuple[Writer, ...]
    told: tuple[str, ...]

    @property
    def calm(self) -> BootValues:
        """What holds where nobody else writes, and creation went one way."""
        return BootValues({**self.values, **self.unsure}, {}, (), self.told)

    @property
    def disturbers(self) -> tuple[str, ...]:
        """What makes members hold something else, in words."""
        return (*(f"{w.name}()" for w in self.others), *(["creation"] if self.unsure else []))

    @property
    def disturbed(self) -> frozenset[Key]:
        """The members that may hold something else than the two operations leave there."""
        return frozenset(self.unsure).union(*(w.members for w in self.others))

    @property
    def variables(self) -> frozenset[str]:
        """The variables that others write."""
        return frozenset().union(*(w.variables for w in self.others))


def find_boot_values(
    known: ResolvedNames,
    profile: Profile,
    members: frozenset[Key],
    tracked: TrackedState,
    own: Iterable[Body],
) -> BootValues:
    """Return what creation leaves in members, and who else writes them and variables.

    It is found out again only if a text has changed other than within the bodies of `own`.
    """
    variables = frozenset(v for v in tracked.variables if not _switch(known, v))
    asked = _BootQuestion(profile, members, variables, tuple(own))
    key = digest_surroundings(
        known, asked.own, repr((profile.name, sorted(members), sorted(variables)))
    )
    if key in _FOUND:
        return _FOUND[key]
    found, visited = _found(known, asked)
    if not visited & {(b.where.name, b.function.name) for b in asked.own}:
        while len(_FOUND) >= _MOST:
            del _FOUND[next(iter(_FOUND))]
        _FOUND[key] = found
    return found


_FOUND: dict[bytes, BootValues] = {}
_MOST = 8


class _BootQuestion(Record, frozen=True):
    """What boot values are asked for, and the functions that are the flush and the load."""

    profile: Profile
    members: frozenset[Key]
    variables: frozenset[str]
    own: tuple[Body, ...]


def _found(
    known: ResolvedNames, asked: _BootQuestion
) -> tuple[BootValues, frozenset[tuple[str, str]]]:
    """Return the answer, and the functions that creation goes through, as (file, name)."""
    members = asked.members
    aside = ResolvedNames(known.base, known.library, known.usage)
    usual = _usual(asked.profile, members)
    visited = {(b.where.name, b.function.name) for b in asked.own}
    homes = frozenset(b.where.name for b in asked.own)
    gone: set[tuple[str, str]] = set()
    values: dict[Key, str] = {}
    unsure: dict[Key, str] = {}
    told: list[str] = []
    structs = sorted({s for s, _ in members})
    for names in dict.fromkeys(CREATORS.get(s, ()) for s in structs):
        keys = frozenset(k for k in members if CREATORS.get(k[0], ()) == names)
        found = _creators(aside, names)
        if not found:
            kept = {k: v for k, v in usual.items() if k in keys}
            values |= kept
            told += _told("creation, which is not at hand,", kept)
            continue
        creation = Creation(aside, keys)
        ends = [_ends(creation, *place) for place in found]
        gone |= creation.visited | {(where.name, item.name) for where, item in found}
        shown = ", ".join(dict.fromkeys(f"{item.name}()" for _, item in found))
        for key in sorted(keys):
            ways = frozenset().union(*(e.get(key, ()) for e in ends))
            if len(ways) == 1 and ANYTHING not in ways:
                values |= {key: next(iter(ways))}
            elif ways:
                unsure[key] = min((w for w in ways if w), default=ZERO)
                told.append(f"{shown} may leave several values in {_name(key)}")
        told += _told(shown, {k: v for k, v in values.items() if k in keys})
        bare = [k for k in sorted(keys) if k in usual and k not in values and k not in unsure]
        told += [f"{shown} leaves {_name(k)} zero" for k in bare]
        if creation.believed and any(k in values for k in keys):
            told.append(f"what {shown} calls and is not at hand, or not read, sets none of it")
    others = find_writers(aside, members, asked.variables, frozenset(visited | gone), homes)
    told += [_disturbs(w) for w in others]
    return BootValues(values, unsure, others, tuple(told)), frozenset(gone)


def _switch(known: ResolvedNames, variable: str) -> bool:
    """Tell whether a variable is one of those that say whether the flush is in use at all."""
    return known.base.default(c.Declaration, variable) is not None


def _name(key: Key) -> str:
    return f"{key[0]}.{key[1]}"


def _told(who: str, values: Mapping[Key, str]) -> list[str]:
    if not values:
        return []
    listed = ", ".join(f"{_name(k)} = {v}" for k, v in sorted(values.items()))
    return [f"{who} {'set' if ', ' in who and '()' in who else 'sets'} {listed}"]


def _disturbs(w: Writer) -> str:
    names = sorted({*(m for _, m in w.members), *w.variables})
    return f"{w.name}(), which also writes {', '.join(names)}, may run at any time"


def _ends(creation: Creation, where: FilePiece, item: Item) -> Mapping[Key, frozenset[str]]:
    """Return what a creating function leaves: anything in what it names if it cannot be read."""
    try:
        return creation.of(Body(creation.known.reader.function(where, item), where))
    except InputError:
        named = (k for k in creation.keys if k[1] in where.words(item))
        return {k: frozenset({ANYTHING}) for k in named}


def _creators(known: ResolvedNames, names: tuple[str, ...]) -> list[tuple[FilePiece, Item]]:
    """Return the creating functions that some file at hand defines."""
    return [
        (where, item)
        for where in pieces_with(known.library, names)
        for name in names
        for item in where.table.get((Sort.FUNCTION, name), ())
    ]


def _usual(profile: Profile, members: frozenset[Key]) -> dict[Key, str]:
    """Return what the profile says creation sets."""
    out: dict[Key, str] = {}
    for node in walk(profile.spec.boot) if profile.spec.boot else ():
        if isinstance(node, c.AssignExpr) and isinstance(node.target, c.Member):
            names = {n.id for n in walk(node.target) if isinstance(n, c.Name)}
            vcpu = "vcpu" in names
            named = [k for k in members if k[1] == node.target.name]
            exact = [k for k in named if ("vcpu" in k[0]) == vcpu]
            out |= dict.fromkeys(exact or (named if len(named) == 1 else []), INVALID)
    return out
