"""What the interpreter keeps in a lock: who holds it alone, and how often each thread reads.

The lowest digit, base 2^32, is the number of the one holder plus one, 0 if there is none; digit
t + 1 says how many times thread t is a reader. Where an unlock waits in a store buffer the lowest
digit is that of no thread.
"""

from __future__ import annotations

DIGIT = 32
MASK = (1 << DIGIT) - 1
FREE = 0
LEAVING = MASK
"""The lowest digit of a lock that is being freed: nobody holds it, and nobody can take it."""


def _reads(word: int, thread: int) -> int:
    return word >> (DIGIT * (thread + 1)) & MASK


def is_sole_holder(word: int, thread: int) -> bool:
    """Tell whether a thread is the one holder."""
    return word & MASK == thread + 1


def is_holder_or_reader(word: int, thread: int) -> bool:
    """Tell whether a thread is the one holder or a reader."""
    return is_sole_holder(word, thread) or _reads(word, thread) > 0


def a_holder(word: int) -> int:
    """Return the one holder of a lock that is held, or the first of its readers.

    Of a lock that is being freed it is no thread's number.
    """
    if word & MASK:
        return (word & MASK) - 1
    thread = 0
    while not _reads(word, thread):
        thread += 1
    return thread


def is_available(word: int, *, shared: bool) -> bool:
    """Tell whether nobody stands in the way of one more holder."""
    return word & MASK == 0 if shared else word == FREE


def take_lock(word: int, thread: int, *, shared: bool) -> int:
    """Return an available lock after a thread took it."""
    return word + (1 << DIGIT * (thread + 1)) if shared else thread + 1


def free_lock(word: int, thread: int, *, shared: bool) -> int:
    """Return a lock after a release: nobody holds it alone, or one reader reads once less."""
    if not shared:
        return word & ~MASK
    return word - (1 << DIGIT * (thread + 1)) if _reads(word, thread) else word


def buffer_unlock(word: int) -> int:
    """Return a lock after an unlock went into a store buffer: no one holder, but not free."""
    return word | LEAVING if word & MASK else word


def drain_unlock(word: int) -> int:
    """Return a lock after such an unlock went to memory."""
    return word & ~MASK if word & MASK == LEAVING else word
