"""`flushproof completion`: the lines that a shell needs."""

from __future__ import annotations

import argparse

from flushproof.cli.command import Command
from flushproof.cli.shell_completion import SHELLS, completion_script
from flushproof.cli.terminal import Terminal

HOW = """\
bash: put `source <(flushproof completion bash)` into ~/.bashrc
zsh:  put `source <(flushproof completion zsh)` into ~/.zshrc, after compinit
fish: run `flushproof completion fish > ~/.config/fish/completions/flushproof.fish`
"""


def _add(command: argparse.ArgumentParser) -> None:
    command.epilog = HOW
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    command.add_argument("shell", choices=SHELLS)


def _run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    terminal.raw(completion_script(arguments.shell))
    return 0


COMMAND = Command("completion", "print what lets a shell complete this command", _add, _run)
