"""Which function of a kernel file is the flush and which the load, by what the code assigns."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from flushproof.frontend.kernel.choices import Choices
from flushproof.support.diagnostics import InputError
from flushproof.verify.open_input import open_file
from support.places import TREES

OLD = TREES / "v5_3" / "vmx.c"


def roles(path: Path) -> dict[str, str]:
    """Return the functions that have the roles."""
    setup = open_file(str(path), Choices()).setup
    return {o.role: o.function for o in setup.operations}


def forked(to: Path, *changes: tuple[str, str]) -> Path:
    """Copy a file with some of its names changed."""
    shutil.copytree(OLD.parent, to, dirs_exist_ok=True)
    file = to / OLD.name
    text = file.read_text()
    for old, new in changes:
        text, count = re.subn(old, new, text)
        assert count, old
    file.write_text(text)
    return file


def test_other_names(tmp_path: Path) -> None:
    """A fork that renames the family is not read without options."""
    names = ((r"\bhv_remote_flush_tlb", "kvm_hv_remote_flush"), (r"\bvmx_set_cr3\b", "put_root"))
    file = forked(tmp_path, *names)
    text = file.read_text() + "\nstruct kvm_x86_ops fork_ops = { .set_cr3 = put_root, };\n"
    file.write_text(text)
    assert roles(file) == {"flush": "kvm_hv_remote_flush_with_range", "load": "put_root"}


def test_an_old_name_that_is_left(tmp_path: Path) -> None:
    """A function of the usual name that nothing is assigned is taken for the flush."""
    file = forked(tmp_path, (r"\bhv_remote_flush_tlb", "kvm_hv_remote_flush"))
    dead = "static int hv_remote_flush_tlb(struct kvm *kvm)\n{\n\treturn 0;\n}\n"
    file.write_text(file.read_text() + dead)
    assert roles(file)["flush"] == "kvm_hv_remote_flush_with_range"


def test_a_comparison_and_a_comment_assign_nothing(tmp_path: Path) -> None:
    """Code that asks what is assigned, or is left out, is taken for an assignment."""
    more = (
        "static int other(struct kvm *kvm)\n{\n"
        "\tif (kvm_x86_ops->tlb_remote_flush == other) return 1;\n"
        "\t/* kvm_x86_ops->tlb_remote_flush = other; */\n\treturn 0;\n}\n"
        "#if 0\nstatic void g(void) { kvm_x86_ops->tlb_remote_flush = other; }\n#endif\n"
    )
    file = forked(tmp_path)
    file.write_text(file.read_text() + more)
    assert roles(file)["flush"] == "hv_remote_flush_tlb_with_range"


def test_two_that_are_assigned(tmp_path: Path) -> None:
    """Of two functions that have nothing in common one is chosen silently."""
    more = (
        "static int other(struct kvm *kvm)\n{\n\treturn 0;\n}\n"
        "static void g(void)\n{\n\tkvm_x86_ops->tlb_remote_flush = other;\n}\n"
    )
    file = forked(tmp_path)
    file.write_text(file.read_text() + more)
    with pytest.raises(InputError, match="several functions that could be the flush"):
        roles(file)
