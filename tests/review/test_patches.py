"""Patches are found in whatever they come in, and applied to what they are for."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from flushproof.features.review.changes import from_patch
from flushproof.features.review.diff import patch_of
from flushproof.features.review.git import from_git
from flushproof.features.review.mail import split_letters
from flushproof.results.review import FileChange
from flushproof.support.diagnostics import InputError
from support.letters import FROM, NOTHING, PATH, body, diff, mail, quoted
from support.two_variants import text

CHANGES = diff("enum_cached", "mismatch_flag")
COLLAPSED = "".join(f"{' '.join(x.split())}\n" for x in body(CHANGES).splitlines())
ANSWER = "On some day A. Author wrote:\n"


def squeezed(message: str) -> str:
    """Quote a message twice and lose blanks, as archives do, with an answer between two hunks."""
    lines = [f"> > {' '.join(x.split())}".rstrip() for x in message.splitlines()]
    heads = [k for k, x in enumerate(lines) if x.startswith("> > @@")]
    lines[heads[1] : heads[1]] = ["> I do not like this.", "", "Neither do I.", ""]
    return "\n".join(lines) + "\n"


FORMS = {
    "diff": CHANGES,
    "git diff": f"diff --git a/{PATH} b/{PATH}\nindex 1..2 100644\n{CHANGES}",
    "format-patch": FROM + mail(body(CHANGES)),
    "mail": mail(body(CHANGES)),
    "base64": mail(body(CHANGES), encoding="base64"),
    "quoted-printable": mail(body(CHANGES), encoding="quoted-printable"),
    "windows lines": mail(body(CHANGES)).replace("\n", "\r\n"),
    "reply": mail(ANSWER + quoted(body(CHANGES)) + "\nLooks good.\n", "Re: [PATCH] KVM: x"),
    "reply to a reply": mail(ANSWER + quoted(quoted(body(CHANGES))), "Re: [PATCH] KVM: x"),
    "tight marks": mail(ANSWER + quoted(body(CHANGES), ">"), "Re: [PATCH] KVM: x"),
    "archive": squeezed(body(CHANGES)),
    "mbox with an answer": FROM
    + mail(body(CHANGES))
    + "\n"
    + FROM
    + mail(ANSWER + quoted(body(CHANGES)), "Re: [PATCH] KVM: x"),
}


def changes(folder: Path, patch: str, base: str, path: str | None = None) -> tuple[FileChange, ...]:
    """Apply a patch to a copy of a variant."""
    (folder / "vmx.c").write_text(text(base), encoding="utf-8")
    (folder / "patch").write_bytes(patch.encode())
    return from_patch(str(folder / "patch"), str(folder / "vmx.c"), path)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_applies(tmp_path: Path, form: str) -> None:
    """A patch that a reviewer has is not read."""
    (change,) = changes(tmp_path, FORMS[form], "enum_cached")
    wanted, made = (x.split() for x in (text("mismatch_flag"), change.after.text))
    assert made == wanted
    if form != "archive":
        assert change.after.text == text("mismatch_flag")


@pytest.mark.parametrize("form", [f for f in FORMS if "diff" not in f])
def test_the_statement_is_found(tmp_path: Path, form: str) -> None:
    """That nothing is said to change is overlooked, or its line is wrong."""
    (change,) = changes(tmp_path, FORMS[form], "enum_cached")
    assert change.statement is not None
    assert change.statement.text == NOTHING.removesuffix(".")
    line = change.statement.line
    assert line is not None
    if not line.decoded:
        there = (tmp_path / "patch").read_text(encoding="utf-8").splitlines()[line.number - 1]
        assert NOTHING in there


@pytest.mark.parametrize(
    "words", ["no functional changes", "NFC", "No functional\nchange is intended", "Nfci."]
)
def test_other_words_for_it(tmp_path: Path, words: str) -> None:
    """Other words that say the same are overlooked."""
    (change,) = changes(tmp_path, mail(body(CHANGES, words)), "enum_cached")
    assert change.statement is not None


def test_no_statement(tmp_path: Path) -> None:
    """A patch is said to claim what it does not."""
    (change,) = changes(tmp_path, mail(body(CHANGES, "This mends it.")), "enum_cached")
    assert change.statement is None


@pytest.mark.parametrize("form", ["diff", "mail", "reply to a reply", "base64"])
def test_lines_of_the_patch(tmp_path: Path, form: str) -> None:
    """A line of the new file is said to stand at another line of the patch."""
    (change,) = changes(tmp_path, FORMS[form], "enum_cached")
    shown = FORMS["mail"].partition("\n\n")[2] if form == "base64" else FORMS[form]
    lines = shown.splitlines()
    assert any(line.added for _, line in change.places)
    for number, line in change.places:
        assert line.decoded == (form == "base64")
        own = lines[line.number - 1].replace("> ", "", 2).strip(">")
        assert own[1:].strip() == change.after.line(number).strip()
        assert line.added == own.startswith("+")


def test_a_series(tmp_path: Path) -> None:
    """The patches of a series are taken in the order in which they came."""
    one = mail(body(diff("enum_status", "enum_cached")), "[PATCH v2 1/2] KVM: x")
    two = mail(body(CHANGES, "A change."), "[PATCH v2 2/2] KVM: y", "base64")
    cover = mail("What this is about.\n", "[PATCH v2 0/2] KVM: both")
    series = "\n".join(FROM + x for x in (cover, two, one))
    first, second = changes(tmp_path, series, "enum_status")
    assert first.subject.endswith("x")
    assert first.after.text == second.before.text == text("enum_cached")
    assert second.after.text == text("mismatch_flag")
    assert first.statement is not None
    assert second.statement is None


def test_another_place_is_found(tmp_path: Path) -> None:
    """A patch to a file that grew in the meantime is refused."""
    (tmp_path / "vmx.c").write_text("/* new */\n" * 7 + text("enum_cached"), encoding="utf-8")
    (tmp_path / "patch").write_text(CHANGES, encoding="utf-8")
    (change,) = from_patch(str(tmp_path / "patch"), str(tmp_path / "vmx.c"), None)
    assert change.after.text == "/* new */\n" * 7 + text("mismatch_flag")
    assert any("hunk 1" in note for note in change.notes)


def test_other_files_are_named(tmp_path: Path) -> None:
    """What else a patch changes goes unmentioned."""
    both = CHANGES + "--- a/arch/vmx.h\n+++ b/arch/vmx.h\n@@ -1 +1 @@\n-int a;\n+int b;\n"
    (change,) = changes(tmp_path, both, "enum_cached")
    assert change.others == ("arch/vmx.h",)


# What is not accepted ----------------------------------------------------------------------------


def complaint(folder: Path, patch: str, base: str, path: str | None = None) -> InputError:
    """Return the complaint about a patch; nothing may be written."""
    with pytest.raises(InputError) as caught:
        changes(folder, patch, base, path)
    assert sorted(p.name for p in folder.iterdir()) == ["patch", "vmx.c"]
    assert (folder / "vmx.c").read_text(encoding="utf-8") == text(base)
    return caught.value


def test_a_hunk_that_does_not_apply(tmp_path: Path) -> None:
    """A reader has to find out alone which hunk does not apply, and where."""
    other = CHANGES.replace("-\t\tkvm_vmx->hv_tlb_eptp = INVALID_PAGE;", "-\t\tother();", 1)
    assert other != CHANGES
    error = complaint(tmp_path, other, "enum_cached")
    (found,) = error.diagnostics
    assert error.exit_code == 4
    assert found.title.startswith(f"hunk 2 of `{PATH}` does not apply to")
    assert found.span is not None
    assert other.splitlines()[found.span.line - 1].startswith("@@")
    assert next(n.span.line for n in found.notes if n.span) == 49


def test_a_patch_that_is_applied_already(tmp_path: Path) -> None:
    """That the base is the file after the patch is not told."""
    error = complaint(tmp_path, CHANGES, "mismatch_flag")
    assert "it seems to be applied already" in error.diagnostics[0].title


@pytest.mark.parametrize("lines", [25, 40, 60, 77])
@pytest.mark.parametrize("form", ["mail", "reply to a reply"])
def test_a_truncated_mail(tmp_path: Path, form: str, lines: int) -> None:
    """Half of a patch is reviewed as if it were all."""
    cut = "\n".join(FORMS[form].splitlines()[:lines]) + "\n"
    error = complaint(tmp_path, cut, "enum_cached")
    assert error.exit_code == 4
    assert "is cut off" in error.diagnostics[0].title


def test_a_mail_without_its_last_hunks(tmp_path: Path) -> None:
    """A mail that was cut between two hunks is not taken for the whole patch."""
    counts = " 1 file changed, 900 insertions(+), 2 deletions(-)\n\n"
    message = counts + diff("enum_cached", "mismatch_flag")
    error = complaint(tmp_path, mail(message), "enum_cached")
    assert error.exit_code == 4
    (found,) = error.diagnostics
    assert "cut off" in found.title
    assert found.span is not None
    assert mail(message).splitlines()[found.span.line - 1].startswith(" 1 file changed")


COUNTED = " 1 file changed, 900 insertions(+), 2 deletions(-)\n\n" + CHANGES


def test_an_answer_that_quotes_a_part(tmp_path: Path) -> None:
    """What an answer quotes of a patch is not taken for the whole patch either."""
    answer = mail(ANSWER + quoted(COUNTED) + "\nFine.\n", "Re: [PATCH] KVM: x")
    error = complaint(tmp_path, answer, "enum_cached")
    (found,) = error.diagnostics
    assert "cut off" in found.title
    assert found.span is not None
    assert answer.splitlines()[found.span.line - 1].startswith(">  1 file changed")


def test_an_answer_beside_the_patch(tmp_path: Path) -> None:
    """An answer may quote as little as it likes where the patch itself is there."""
    patch = mail(body(CHANGES), "[PATCH] KVM: x")
    answer = mail(ANSWER + quoted(COUNTED) + "\nFine.\n", "Re: [PATCH] KVM: x")
    (change,) = changes(tmp_path, f"{FROM}{patch}\n{FROM}{answer}", "enum_cached")
    assert change.after.text == text("mismatch_flag")


def test_truncated_base64(tmp_path: Path) -> None:
    """Half of an encoded mail is reviewed as if it were all."""
    encoded = FORMS["base64"].rstrip("\n=")
    error = complaint(tmp_path, encoded[: len(encoded) // 2 // 77 * 77 - 3], "enum_cached")
    assert error.exit_code == 4
    assert "cut off" in error.diagnostics[0].title


@pytest.mark.parametrize(
    "patch", ["Dear all,\n\nno patch here.\n", mail("Dear all,\n\n-- \nB.\n"), text("enum_cached")]
)
def test_no_diff(tmp_path: Path, patch: str) -> None:
    """A file without a diff passes for a patch that changes nothing."""
    error = complaint(tmp_path, patch, "enum_cached")
    assert error.exit_code == 4
    assert error.diagnostics[0].title.startswith("there is no diff in ")


def test_a_patch_for_other_files(tmp_path: Path) -> None:
    """A patch is applied to a file that it is not for."""
    patch = CHANGES.replace(PATH, "Makefile") + CHANGES.replace(PATH, "README")
    error = complaint(tmp_path, patch, "enum_cached")
    assert error.exit_code == 2
    assert "but `Makefile`, `README`" in error.diagnostics[0].title


def test_a_path_that_the_patch_does_not_change(tmp_path: Path) -> None:
    """`--path` is ignored."""
    error = complaint(tmp_path, CHANGES, "enum_cached", "arch/x86/kvm/svm/svm.c")
    assert error.exit_code == 2


def test_a_patch_that_creates_the_file(tmp_path: Path) -> None:
    """A new file is put before the lines of the old one."""
    new = f"--- /dev/null\n+++ b/{PATH}\n@@ -0,0 +1 @@\n+int a;\n"
    error = complaint(tmp_path, new, "enum_cached")
    assert error.diagnostics[0].title.startswith("the patch creates or deletes ")


def test_what_the_answer_says_is_not_what_the_patch_says(tmp_path: Path) -> None:
    """The words of whoever answers are taken for those of the author."""
    told = mail(f"{NOTHING}\n{ANSWER}{quoted(body(CHANGES, 'It is better.'))}", "Re: x")
    (change,) = changes(tmp_path, told, "enum_cached")
    assert change.statement is None


SHORT = """\
> > --- a/x.c
> > +++ b/x.c
> > @@ -1,3 +1,3 @@
> > int a;
> > -int b;
> > +int c;
>
> Why?
> > @@ -9,2 +9,2 @@
> > -int d;
> > +int e;
> > int f;
"""


def test_an_empty_last_line_may_have_lost_a_mark() -> None:
    """An answer below a hunk hides that the hunk is complete."""
    (letter,) = split_letters("p", SHORT.encode())
    patch = patch_of(letter)
    assert patch is not None
    (file,) = patch.files
    assert [len(h.lines) for h in file.hunks] == [4, 3]
    assert [line.text for line in file.hunks[0].new] == ["int a;", "int c;", ""]


def test_a_line_with_text_may_not() -> None:
    """The words of an answer become code."""
    (letter,) = split_letters("p", SHORT.replace(">\n> Why", "> Why").encode())
    with pytest.raises(InputError, match=r"hunk 1 of `x\.c` is cut off: 1 of its lines"):
        patch_of(letter)


# Git ---------------------------------------------------------------------------------------------


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Return a file in a tree with two commits."""
    file = tmp_path / "vmx.c"
    _git(tmp_path, "init", "-q")
    for name, message in (("enum_cached", "Begin"), ("mismatch_flag", f"x\n\n{NOTHING}")):
        file.write_text(text(name), encoding="utf-8")
        _git(tmp_path, "add", "vmx.c")
        who = ("-c", "user.name=A", "-c", "user.email=a@example.org")
        _git(tmp_path, *who, "commit", "-q", "-m", message)
    return file


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def test_a_range_of_commits(tree: Path) -> None:
    """Another version than the one asked for is reviewed."""
    tree.write_text("something else", encoding="utf-8")
    (change,) = from_git("HEAD~1..HEAD", str(tree))
    assert change.before.text == text("enum_cached")
    assert change.after.text == text("mismatch_flag")
    assert change.statement is not None
    assert tree.read_text(encoding="utf-8") == "something else"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("HEAD", "no range"),
        ("HEAD...HEAD~1", "no range"),
        ("--output=x..HEAD", "no range"),
        ("nowhere..HEAD", "git: "),
        ("HEAD..HEAD", "the same before and after"),
    ],
)
def test_no_such_range(tree: Path, given: str, words: str) -> None:
    """A range that means nothing ends in a traceback."""
    with pytest.raises(InputError, match=words) as caught:
        from_git(given, str(tree))
    assert caught.value.exit_code in (2, 4)


def _nested(depth: int) -> bytes:
    names = [b"b%d" % k for k in range(depth)]
    heads = (b'Content-Type: multipart/mixed; boundary="%b"\n\n--%b\n' % (n, n) for n in names)
    ends = (b"\n--%b--\n" % n for n in reversed(names))
    return b"".join((*heads, b"Content-Type: text/plain\n\nhello", *ends))


HEAD = b"From: a\nSubject: x\n"
DIFF = b"--- a/x.c\n+++ b/x.c\n@@ -1,1 +1,1 @@\n-a\n+b\n"
REFUSED: dict[str, bytes] = {
    "nested parts": HEAD + _nested(3000),
    "nested letters": HEAD + b"Content-Type: message/rfc822\n\n" * 2000 + b"x",
    "nested comments": HEAD + b"Content-Type: " + b"(" * 3500 + b"\n\n" + DIFF,
    "a long subject": b"From: a\nSubject: " + b"=?utf-8?q?a?= " * 30000 + b"\n\n" + DIFF,
    "a subject of digits": b"From: a\nSubject: [" + b"1" * 100_000 + b"\n\n" + DIFF,
    "many parameters": HEAD + b"Content-Type: text/plain; " + b"a=b; " * 20000 + b"\n\n" + DIFF,
    "folded": HEAD + b"Content-Type: text/plain;" + b"\n a=b;" * 20000 + b"\n\n" + DIFF,
}


@pytest.mark.sample(every=3)
@pytest.mark.parametrize("name", REFUSED)
def test_mails_that_would_take_long(name: str) -> None:
    """The standard library reads these in quadratic time, or by recursion without an end."""
    with pytest.raises(InputError) as refused:
        split_letters("m", REFUSED[name])
    assert "is damaged or cut off: " in refused.value.diagnostics[0].title


@pytest.mark.parametrize("charset", [b"idna", b"punycode", b"rot13", b'"\xff"', b"undefined", b"x"])
def test_encodings_that_are_none(charset: bytes) -> None:
    """What Python would decode in odd ways or not at all is read as UTF-8."""
    head = HEAD + b"Content-Type: text/plain; charset=" + charset + b"\n\n"
    assert patch_of(split_letters("m", head + DIFF)[0]) is not None


@pytest.mark.parametrize("head", [b"@@ -%b,1 +1,1 @@", b"@@ -1,%b +1,1 @@", b"@@ -1,1 +1,%b @@"])
def test_numbers_without_an_end(head: bytes) -> None:
    """Python refuses to read numbers of so many digits."""
    letter = split_letters("m", b"--- a/x.c\n+++ b/x.c\n" + head % (b"9" * 5000) + b"\n-a\n+b\n")
    assert patch_of(letter[0]) is None


def test_a_subject_is_kept_short() -> None:
    """A first line of megabytes must not be searched for numbers again and again."""
    (letter,) = split_letters("m", b"[" + b"1" * 1_000_000 + b"\n" + DIFF)
    assert len(letter.subject) == 400
