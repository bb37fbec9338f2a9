"""What a shell is told when the user asks for a word's end: answered by the parser itself."""

from __future__ import annotations

import argparse
import re

from flushproof.support.resources import CLAIMS

SHELLS = ("bash", "zsh", "fish")


BASH = r"""# shellcheck shell=bash
_flushproof() {
    local IFS=$'\013'
    local answer
    COMPREPLY=()
    answer=$(COMP_LINE="$COMP_LINE" COMP_POINT="$COMP_POINT" COMP_TYPE="$COMP_TYPE" \
        _ARGCOMPLETE_COMP_WORDBREAKS="$COMP_WORDBREAKS" _ARGCOMPLETE=1 \
        _ARGCOMPLETE_SHELL=bash _ARGCOMPLETE_SUPPRESS_SPACE=1 \
        flushproof 8>&1 9>&2 1>/dev/null 2>&1 </dev/null) || return 0
    read -r -d '' -a COMPREPLY <<< "$answer" || true
    if ((${#COMPREPLY[@]})); then
        COMPREPLY[-1]=${COMPREPLY[-1]%$'\n'}
    fi
    if [[ ${COMPREPLY[0]-} != *[=/:] ]]; then
        compopt +o nospace 2>/dev/null || true
    fi
}
complete -o nospace -o default -o bashdefault -F _flushproof flushproof
"""


def completion_script(shell: str) -> str:
    """Return the lines that make a shell ask this program."""
    if shell == "bash":
        return BASH
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
