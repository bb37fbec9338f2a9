"""Single keys from a terminal, without waiting for the end of a line."""

from __future__ import annotations

import os
import select
from typing import TextIO

MORE = 0.05
"""Seconds within which the rest of an arrow key follows its first byte."""


def read_key(stream: TextIO) -> str:
    """Return the next key, "" at the end of the input; an arrow key is its escape sequence.

    Raises:
        KeyboardInterrupt: the key is Ctrl-C.
    """
    import termios
    import tty

    number = stream.fileno()
    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number)
        key = os.read(number, 1)
        if key == b"\x1b" and select.select([number], [], [], MORE)[0]:
            key += os.read(number, 2)
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)
    return key.decode("ascii", "replace")
