"""A C file without a spec: whether it is read whole, as a variant, or as a file of a kernel.

It is a kernel's if it lies in a kernel tree, if it includes headers of the kernel, or if the user
says so. A tree is what has a folder `arch/x86/kvm`. What is refused in the one way is not tried in
the other, for there it would be read as something else.
"""

from __future__ import annotations

from pathlib import Path

from flushproof.frontend.c.load import load_source
from flushproof.frontend.c.outline import read_outline
from flushproof.frontend.kernel.choices import Choices
from flushproof.frontend.kernel.text_scan import included_names
from flushproof.frontend.setup import Setup
from flushproof.frontend.spec.builtin import load_builtin
from flushproof.frontend.spec.resolve import from_text
from flushproof.machine.build import build_machine
from flushproof.support.files import current_files
from flushproof.support.record import Record, replace
from flushproof.support.source import Source

TREE = Path("arch", "x86", "kvm")
"""What a kernel tree has, seen from its root."""


class Opened(Record, frozen=True):
    """A set-up; `profile` is "" where the file is taken as it stands."""

    setup: Setup
    profile: str = ""
    missing: tuple[str, ...] = ()


def open_file(path: str, choices: Choices) -> Opened:
    """Read a C file: whole, or of a kernel file the part that the flush needs.

    Raises:
        InputError: the file is not accepted.
    """
    return open_text(load_source(path), Path(path), choices)


def open_text(variant: Source, place: Path, choices: Choices) -> Opened:
    """Do as `open_file` with a text that is meant to stand in the file `place`.

    Raises:
        InputError: the text is not accepted.
    """
    if not (choices.any or _includes_headers(variant) or in_tree(place)):
        setup = from_text(variant, None, place)
        build_machine(setup)
        return Opened(setup)
    from flushproof.frontend.kernel.recognise import reduce_kernel_file

    found = reduce_kernel_file(variant, choices, place)
    read_as = f"a kernel file ({found.profile}), boot values as said below"
    return Opened(replace(found.setup, read_as=read_as), found.profile, found.missing)


def in_tree(place: Path) -> bool:
    """Tell whether a file lies in a kernel tree."""
    above = (current_files().cwd() / place).parents
    return any(current_files().is_folder(str(folder / TREE)) for folder in above)


def _includes_headers(variant: Source) -> bool:
    """Tell whether a file includes headers of the kernel, which are those in angle brackets."""
    if not any(mark == "<" for mark, _ in included_names(variant.text)):
        return False
    return any(not i.quoted for i in read_outline(variant, load_builtin().context.macros).includes)
