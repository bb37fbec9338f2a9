"""What a shell is told when the user asks for a word's end: answered by the parser itself."""

from __future__ import annotations

import argparse
import re

from flushproof.support.resources import CLAIMS

SHELLS = ("bash", "zsh", "fish")


def completion_script(shell: str) -> str:
    """Return the lines that make a shell ask this program."""
    from argcomplete.shell_integration import shellcode

    text: str = shellcode(["flushproof"], shell=shell)
    return text.strip("\n") + "\n"


def complete_arguments(parser: argparse.ArgumentParser) -> None:
    """Answer the shell and leave the process."""
    import argcomplete

    argcomplete.autocomplete(parser, always_complete_options=False)


def list_claim_names(**_: object) -> list[str]:
    """Return the names of the claims that come with the program."""
    return re.findall(r"^claim (\w+)", CLAIMS.read_text(encoding="utf-8"), re.MULTILINE)
