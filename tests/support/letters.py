"""Patches between the variants under specs/, as diffs, mails and mailboxes."""

from __future__ import annotations

import base64
import difflib
import quopri

from support.two_variants import text

PATH = "arch/x86/kvm/vmx/vmx.c"
NOTHING = "No functional change intended."
FROM = "From 0123456789abcdef Mon Sep 17 00:00:00 2001\n"


def diff(old: str, new: str, path: str = PATH) -> str:
    """Return the unified diff between two variants."""
    return changed(text(old), text(new), path)


def changed(old: str, new: str, path: str = PATH) -> str:
    """Return the unified diff between two texts."""
    before, after = (x.splitlines(keepends=True) for x in (old, new))
    return "".join(difflib.unified_diff(before, after, f"a/{path}", f"b/{path}"))


def body(changes: str, words: str = NOTHING) -> str:
    """Return a message with a diff below it."""
    return f"Change something.\n\n{words}\n---\n {PATH} | 9 +++\n\n{changes}-- \n2.30.2\n"


def quoted(message: str, marks: str = "> ") -> str:
    """Quote every line."""
    return "".join(f"{marks}{x}".rstrip(" ") for x in message.splitlines(keepends=True))


def mail(message: str, subject: str = "[PATCH] KVM: one flag less", encoding: str = "8bit") -> str:
    """Return a mail, its text encoded in some way."""
    data = message.encode()
    match encoding:
        case "base64":
            data = base64.encodebytes(data)
        case "quoted-printable":
            data = quopri.encodestring(data)
        case _:
            pass
    head = (
        "From: A. Author <author@example.org>\n"
        f"Subject: {subject}\n"
        "Date: Wed, 21 Oct 2020 12:00:00 +0000\n"
        "MIME-Version: 1.0\n"
        "Content-Type: text/plain; charset=utf-8\n"
        f"Content-Transfer-Encoding: {encoding}\n"
    )
    return f"{head}\n{data.decode()}"
