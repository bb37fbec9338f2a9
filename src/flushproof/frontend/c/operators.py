"""What several stages know of C: how tightly operators bind, what integer types are called."""

from __future__ import annotations

PRECEDENCE = {
    "||": 1,
    "&&": 2,
    "|": 3,
    "^": 4,
    "&": 5,
    "==": 6,
    "!=": 6,
    "<": 7,
    ">": 7,
    "<=": 7,
    ">=": 7,
    "<<": 8,
    ">>": 8,
    "+": 9,
    "-": 9,
    "*": 10,
    "/": 10,
    "%": 10,
}

_SIGNS = frozenset({"signed", "unsigned"})
_KINDS = {
    ("void",): "void",
    ("bool",): "bool",
    ("_Bool",): "bool",
    ("char",): "char",
    ("short",): "short",
    ("int",): "int",
    ("long",): "long",
    ("long", "long"): "long long",
}


def integer_type(words: list[str]) -> str:
    """Return the normalised name of the type that `words` make, or an empty string."""
    signs = [word for word in words if word in _SIGNS]
    kinds = sorted(word for word in words if word not in _SIGNS)
    if "int" in kinds and {"long", "short"} & set(kinds):
        kinds.remove("int")
    name = _KINDS.get(tuple(kinds or ["int"]), "")
    if not signs or not name:
        return name
    if len(signs) > 1 or name in {"void", "bool"}:
        return ""
    if signs == ["signed"]:
        return "signed char" if name == "char" else name
    return f"unsigned {name}"
