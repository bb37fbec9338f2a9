"""Which claims fail in compiled C, found by running every sequence of a few operations."""

from __future__ import annotations

import subprocess
from pathlib import Path

from flushproof.features.compiled.agree import FLAGS
from flushproof.features.compiled.program import is_function_static, make_program
from flushproof.ir.program import Role
from flushproof.machine.build import Machine

DRIVER = (Path(__file__).parent / "exhaustive.c").read_text(encoding="utf-8")
CLAIMS = ("coverage", "no_repeat", "no_bogus", "no_wasted", "failure_kept", "failure_true")
SECONDS = 300

FOOT = """
static unsigned drv_size(void) {{ return {size}; }}
static void drv_save(unsigned char *at) {{ {save} }}
static void drv_restore(const unsigned char *at) {{ {restore} }}
"""


class CutOffError(Exception):
    """The C does something undefined, does not end, or keeps something that cannot be put back."""


def failures(machine: Machine, folder: Path) -> dict[str, int]:
    """Return the smallest number of vCPUs with which each claim fails, 0 where it does not.

    Raises:
        InputError: the variant cannot stand in C as it is.
        CutOffError: not every run can be looked at.
    """
    (folder / "exhaustive.c").write_text(source(machine))
    _run(["gcc", *FLAGS, "-O1", "-w", "-o", "exhaustive", "exhaustive.c"], folder)
    try:
        said = _run(["./exhaustive"], folder)
    except subprocess.CalledProcessError as error:
        raise CutOffError(str(error.returncode)) from error
    masks = [int(line) for line in said.split()]
    return {
        claim: next((n for n, mask in enumerate(masks, 1) if mask >> k & 1), 0)
        for k, claim in enumerate(CLAIMS)
    }


def source(machine: Machine) -> str:
    """Return the C program that goes through all runs."""
    if any(is_function_static(f) for f in machine.places):
        raise CutOffError("a static variable of a function")
    driven = make_program(machine)
    roles = {o.role: k for k, o in enumerate(machine.base.operations)}
    names = {"LOAD_OPERATION": roles[Role.LOAD], "FLUSH_OPERATION": roles[Role.FLUSH]}
    head = "".join(f"#define {name} {number}\n" for name, number in names.items())
    objects = driven.objects()
    copies = [(f"__builtin_memcpy(at, &{o}, sizeof({o})); at += sizeof({o});") for o in objects]
    back = [f"__builtin_memcpy(&{o}, at, sizeof({o})); at += sizeof({o});" for o in objects]
    foot = FOOT.format(
        size=" + ".join(f"sizeof({o})" for o in objects),
        save=" ".join(copies),
        restore=" ".join(back),
    )
    return "".join((head, driven.text(DRIVER), foot))


def _run(command: list[str], folder: Path) -> str:
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True, timeout=SECONDS
    ).stdout
