"""Attributes of the compiler, however spelled: which of them mean nothing here, and why.

In: tokens in which an attribute may stand, as `__attribute__((x))` or as a word of the kernel for
one. Out: how many of them are passed over. An attribute is passed over only if it stands in
`MEANINGLESS`, with the reason; every other one is refused, those in `MEANINGFUL` by what they do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from flushproof.frontend.c.constants import OutsideSubset
from flushproof.frontend.c.tokens import Token, TokenKind
from flushproof.support.diagnostics import InputError

_WARNS = "only warnings of the compiler depend on it"
_PLACES = "it says where code or data is put, not what it is"
_SPEED = "it is a hint for speed"
_CHECKED = "only another program than the compiler looks at it"
_INLINED = "calls are inlined here anyway"
_SAME = "a function of which it is not true is undefined, and calls of such a one are all kept"

MEANINGLESS: Final = {
    "access": _WARNS,
    "address_space": _CHECKED,
    "alloc_align": _WARNS,
    "alloc_size": _WARNS,
    "always_inline": _INLINED,
    "artificial": "only debuggers look at it",
    "assume_aligned": _SPEED,
    "bitwise": _CHECKED,
    "btf_type_tag": _CHECKED,
    "cold": _SPEED,
    "const": _SAME,
    "counted_by": _WARNS,
    "deprecated": _WARNS,
    "designated_init": _WARNS,
    "externally_visible": _PLACES,
    "fallthrough": _WARNS,
    "flatten": _INLINED,
    "force": _CHECKED,
    "format": _WARNS,
    "format_arg": _WARNS,
    "gnu_inline": _INLINED,
    "hot": _SPEED,
    "init": "code that is gone after boot means the same",
    "leaf": _SPEED,
    "malloc": _WARNS,
    "may_alias": "the kernel is compiled without assumptions on aliases (-fno-strict-aliasing)",
    "no_instrument_function": "nothing is traced here",
    "no_profile_instrument_function": "nothing is traced here",
    "no_sanitize": "nothing is instrumented here",
    "no_sanitize_address": "nothing is instrumented here",
    "no_sanitize_undefined": "nothing is instrumented here",
    "no_stack_protector": "nothing is instrumented here",
    "noclone": _INLINED,
    "noderef": _CHECKED,
    "noinline": _INLINED,
    "noipa": _INLINED,
    "nonnull": "the kernel is compiled so that checks are kept (-fno-delete-null-pointer-checks)",
    "nonstring": _WARNS,
    "noplt": _PLACES,
    "nothrow": "C has no exceptions",
    "optimize": "what code means does not depend on how it is optimised",
    "pure": _SAME,
    "read_mostly": _PLACES,
    "returns_nonnull": _SPEED,
    "sentinel": _WARNS,
    "unused": _WARNS,
    "used": "nothing is left out for not being used",
    "visibility": _PLACES,
    "warn_unused_result": _WARNS,
}
MEANINGFUL: Final = {
    "alias": "another name of a function or variable",
    "aligned": "an alignment of its own",
    "cleanup": "a destructor",
    "constructor": "code that runs before anything else",
    "destructor": "code that runs at the end",
    "ifunc": "a function that is chosen at run time",
    "mode": "a type by its machine mode",
    "naked": "a function without a frame",
    "noreturn": "a function that does not return",
    "packed": "a packed layout",
    "randomize_layout": "a layout in random order",
    "returns_twice": "a function that returns twice",
    "scalar_storage_order": "another byte order",
    "section": "a section of its own",
    "symver": "another name of a function or variable",
    "tls_model": "a variable of each thread",
    "transparent_union": "unions",
    "vector_size": "vectors",
    "weak": "a definition that another file may replace",
    "weakref": "a definition that another file may replace",
}

WORDS: Final = {
    "_Noreturn": "noreturn",
    "__always_inline": "always_inline",
    "__always_unused": "unused",
    "__attribute_const__": "const",
    "__bitwise": "bitwise",
    "__cacheline_aligned": "aligned",
    "____cacheline_aligned": "aligned",
    "____cacheline_aligned_in_smp": "aligned",
    "__cold": "cold",
    "__deprecated": "deprecated",
    "__designated_init": "designated_init",
    "__exit": "init",
    "__flatten": "flatten",
    "__force": "force",
    "__hot": "hot",
    "__init": "init",
    "__init_or_module": "init",
    "__initconst": "init",
    "__initdata": "init",
    "__iomem": "address_space",
    "__kernel": "address_space",
    "__maybe_unused": "unused",
    "__must_check": "warn_unused_result",
    "__noclone": "noclone",
    "__noreturn": "noreturn",
    "__packed": "packed",
    "__percpu": "address_space",
    "__private": "noderef",
    "__pure": "pure",
    "__randomize_layout": "randomize_layout",
    "__rcu": "address_space",
    "__read_mostly": "read_mostly",
    "__ref": "init",
    "__refdata": "init",
    "__ro_after_init": "read_mostly",
    "__used": "used",
    "__user": "address_space",
    "__visible": "externally_visible",
    "__weak": "weak",
    "asmlinkage": "externally_visible",
    "noinline": "noinline",
    "noinline_for_stack": "noinline",
    "noinstr": "no_instrument_function",
    "notrace": "no_instrument_function",
    "randomized_struct_fields_end": "randomize_layout",
    "randomized_struct_fields_start": "randomize_layout",
}
"""The kernel's words for attributes, which take nothing in parentheses."""
CALLED: Final = {
    "__alias": "alias",
    "__aligned": "aligned",
    "__alloc_size": "alloc_size",
    "__assume_aligned": "assume_aligned",
    "__cleanup": "cleanup",
    "__counted_by": "counted_by",
    "__counted_by_le": "counted_by",
    "__counted_by_be": "counted_by",
    "__no_sanitize": "no_sanitize",
    "__nonstring": "nonstring",
    "__printf": "format",
    "__scanf": "format",
    "__section": "section",
    "_Alignas": "aligned",
}
"""Those that may take something in parentheses."""
PREFIXES: Final = frozenset({"__attribute__", "__attribute"})
PLAIN: Final = frozenset({"__extension__"})
"""What says only that the compiler is not to warn of an extension."""


def is_attribute_word(text: str) -> bool:
    """Tell whether a word stands for an attribute, or begins one."""
    return text in WORDS or text in CALLED or text in PREFIXES or text in PLAIN


def takes_arguments(text: str) -> bool:
    """Tell whether parentheses behind a word belong to an attribute."""
    return text in CALLED or text in PREFIXES


def past_attribute(tokens: Sequence[Token], index: int) -> int:
    """Return the index behind the attribute that begins at `index`.

    Raises:
        InputError: it is one that means something, or not known, or not well formed.
    """
    word = tokens[index]
    if word.text in PLAIN:
        return index + 1
    if word.text in WORDS:
        _check(word, WORDS[word.text])
        return index + 1
    if word.text in CALLED:
        _check(word, CALLED[word.text])
        return past_parentheses(tokens, index + 1)
    end = past_parentheses(tokens, index + 1)
    inside = tokens[index + 1 : end]
    if len(inside) < 4 or not inside[1].is_punct("(") or not inside[-2].is_punct(")"):
        raise InputError(
            OutsideSubset(span=word.span, construct=f"`{word.text}` without `((...))`")
        )
    for name in _names(inside[2:-2]):
        _check(name, _plain(name.text))
    return end


def _names(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """Return the names of a list of attributes, without what each takes in parentheses."""
    found: list[Token] = []
    depth = 0
    first = True
    for token in tokens:
        if depth == 0 and token.is_punct(","):
            first = True
        elif depth == 0 and first:
            found.append(token)
            first = False
        elif depth == 0 and not token.is_punct("("):
            raise InputError(OutsideSubset(span=token.span, construct="an attribute of two words"))
        depth += token.is_punct("(") - token.is_punct(")")
    return tuple(found)


def _plain(name: str) -> str:
    """Return an attribute without the underscores that may stand around its name."""
    around = name.startswith("__") and name.endswith("__") and len(name) > 4
    return name[2:-2] if around else name


def _check(at: Token, attribute: str) -> None:
    if at.kind is TokenKind.NAME and attribute in MEANINGLESS:
        return
    does = MEANINGFUL.get(attribute, f"the attribute `{attribute}`, which is not known")
    raise InputError(OutsideSubset(span=at.span, construct=does))


def past_parentheses(tokens: Sequence[Token], index: int) -> int:
    """Return the index behind the balanced parentheses that begin at `index`, if any do."""
    depth = 0
    for position in range(index, len(tokens)):
        depth += tokens[position].is_punct("(") - tokens[position].is_punct(")")
        if depth == 0:
            return position + 1 if position > index else index
    return index
