"""What a proof looked at, named from the folder of the file that it is about, and asked again.

In: the answers that `files.Recorded` noted. Out: the same under names that mean something on
another machine too, and those that are other ones now. Absent files count: a header that turns up
may be read the next time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Literal

from flushproof.frontend.c.load import LIMIT
from flushproof.frontend.kernel.choices import Choices
from flushproof.support import files
from flushproof.support.errors import InternalError
from flushproof.support.files import FileLook, Recorded
from flushproof.support.record import Record
from flushproof.support.resources import CLAIMS, DEFAULTS, HARMLESS, KERNEL, PRELUDE, PROFILES

Kind = Literal["text", "file", "folder", "names", "shipped"]
KINDS: tuple[Kind, ...] = ("text", "file", "folder", "names", "shipped")
SHIPPED = (PRELUDE, CLAIMS, DEFAULTS, KERNEL, PROFILES, HARMLESS)
"""What proofs read that comes with the program."""

CHANGED = "it is not as it was when this was proved"
GONE = "it cannot be read now, and was when this was proved"
NEW = "it is there now, and was not when this was proved"
MISSING = "it is not there now, and was when this was proved"
LISTING = "there are other C files in it than when this was proved"


class Seen(Record, frozen=True):
    """One thing that was looked at; `path` starts at the folder of the file proved.

    `answer` is the digest of a text, or of the names of the C files in a folder; "yes" or "no" for
    whether a file or folder is there; and the name of an error where a text could not be read.
    """

    kind: Kind
    path: str
    answer: str


class ReadWith(Record, frozen=True):
    """How the file proved was read: with which spec, from its folder, and which choices."""

    spec: str | None = None
    flush: str | None = None
    load: str | None = None
    cache: str | None = None
    folders: tuple[str, ...] = ()
    kernel: bool = False


class FileDifference(Record, frozen=True):
    """What is another one now, and in which way."""

    path: str
    how: str


def files_seen(looks: Iterable[FileLook], subject: str) -> tuple[Seen, ...]:
    """Return what was looked at for a proof about the file `subject`, what is shipped included.

    Raises:
        InternalError: that file itself was not read.
    """
    looks, start = tuple(looks), _folder(subject)
    if not any(x.kind == "text" and x.path == subject and _is_digest(x.answer) for x in looks):
        raise InternalError(f"a proof about `{subject}` did not read it")
    found = (Seen(x.kind, _from(start, x.path), _told(x)) for x in looks if x.kind != "real")
    return (*dict.fromkeys(found), *_shipped())


def describe_reading(subject: str, spec: str | None, choices: Choices) -> ReadWith:
    """Return how a file is read, with paths from its folder."""
    start = _folder(subject)
    return ReadWith(
        None if spec is None else _from(start, spec),
        choices.flush,
        choices.load,
        choices.cache,
        tuple(_from(start, f) for f in choices.folders),
        choices.kernel,
    )


def file_differences(known: Iterable[Seen], subject: str, path: str) -> Iterator[FileDifference]:
    """Yield what is otherwise now, where `path` names the file that was `subject`.

    `path` may also name another file that was read, such as the variant of a spec.
    """
    known = tuple(known)
    now = Recorded(files.current_files())
    start, names = _anchor(known, subject, path)
    shipped = {x.path: x.answer for x in _shipped()}
    for x in known:
        if x.kind == "shipped":
            if shipped.get(x.path) != x.answer:
                yield FileDifference(f"{x.path} of flushproof", CHANGED)
            continue
        place = names.get(x.path) or os.path.normpath(f"{start}/{x.path}")
        answer = _told(FileLook(x.kind, place, now.ask(x.kind, place, LIMIT + 1)))
        if answer != x.answer:
            yield FileDifference(place, _how(x, answer))


def place_of(known: Iterable[Seen], subject: str, path: str, name: str) -> str:
    """Return where a file named from the folder of the file proved is; `path` as above."""
    start, names = _anchor(tuple(known), subject, path)
    return names.get(name) or os.path.normpath(f"{start}/{name}")


def _anchor(known: tuple[Seen, ...], subject: str, path: str) -> tuple[str, dict[str, str]]:
    """Return the folder that names start from, and what the one file named is called here."""
    folder, name = os.path.dirname(path) or ".", os.path.basename(path)  # noqa: PTH119, PTH120
    others = [x.path for x in known if x.kind == "text" and os.path.basename(x.path) == name]  # noqa: PTH119
    if name == subject or len(others) != 1 or ".." in others[0].split("/"):
        return files.current_files().real(folder), {subject: path}
    up = "/".join([".."] * others[0].count("/")) or "."
    return os.path.normpath(f"{files.current_files().real(folder)}/{up}"), {others[0]: path}


def _how(was: Seen, answer: str) -> str:
    """Say in which way an answer differs."""
    match was.kind:
        case "text":
            readable = (_is_digest(was.answer), _is_digest(answer))
            return {(True, False): GONE, (False, True): NEW}.get(readable, CHANGED)
        case "names":
            return LISTING
        case _:
            return NEW if answer == files.YES else MISSING


def _is_digest(answer: str) -> bool:
    return not answer.startswith("E")


def _told(look: FileLook) -> str:
    """Return the answer as it is compared; of a folder only C files matter."""
    if look.kind != "names":
        return look.answer
    names = [x for x in look.answer.split("/") if x.endswith(".c")]
    return files.digest_bytes("/".join(names).encode("utf-8", "surrogateescape"))


def _shipped() -> tuple[Seen, ...]:
    return tuple(Seen("shipped", p.name, files.digest_bytes(p.read_bytes())) for p in SHIPPED)


def _folder(path: str) -> str:
    return files.current_files().real(os.path.dirname(path) or ".")  # noqa: PTH120


def _from(start: str, path: str) -> str:
    """Return a path from a folder; links in the folder of the path are resolved."""
    return os.path.relpath(f"{_folder(path)}/{os.path.basename(path)}", start)  # noqa: PTH119
