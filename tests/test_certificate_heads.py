"""The head of a certificate: without it, or where anything is not as written, nothing is asked."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flushproof import __version__
from flushproof.cli.main import main
from flushproof.support.diagnostics import InputError
from flushproof.support.errors import InternalError
from flushproof.support.files import FileLook
from flushproof.support.record import replace
from flushproof.support.source import Source
from flushproof.verify.certificate import certificate_file
from flushproof.verify.certificate.certificate_file import read_certificate, seal_certificate
from flushproof.verify.certificate.files_read import (
    SHIPPED,
    ReadWith,
    Seen,
    file_differences,
    files_seen,
)
from flushproof.verify.certificate.head import (
    BEGINS,
    SEAL,
    Head,
    ProvedClaim,
    head_lines,
    read_head,
)
from flushproof.verify.certificate.proof_blocks import CODE, END, claim_title
from support.certificate_files import body, number_of
from support.places import SPECS, TREES

KERNEL = TREES / "v5_14"
SOLVERS = [x for s in ("z3", "cvc5") if s == "z3" or find_spec(s) for x in ("--solver", s)]
Captured = pytest.CaptureFixture[str]


def _prove(file: Path, out: Path, *more: str) -> Path:
    main(["prove", str(file), *more, "--jobs", "1", "--certificate", str(out)])
    return out


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the certificate of one claim, beside the files that it is about."""
    folder = tmp_path_factory.mktemp("proved")
    for name in ("counter_first.c", "counter_first.spec"):
        shutil.copy(SPECS / name, folder)
    claim = ("--claim", "failure_kept", "--no-sanity")
    return _prove(folder / "counter_first.spec", folder / "out.txt", *claim)


@pytest.fixture
def copied(written: Path, tmp_path: Path) -> Path:
    """Return a copy of the certificate, with copies of the sources beside it."""
    for file in written.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / written.name


EMPTY = '{"cuts": [], "cases": []}'


def _small() -> tuple[Head, str]:
    """Return a head and a body with two proofs that claim nothing."""
    head = Head(
        __version__,
        "a.c",
        "a variant",
        ReadWith(),
        (
            ProvedClaim("one", "every number of vCPUs", ("none",), 0),
            ProvedClaim("two", "all", (), 0),
        ),
        (Seen("text", "a.c", "0" * 64),),
    )
    lines = (CODE, EMPTY, claim_title("one"), EMPTY, claim_title("two"), EMPTY, END, "")
    return head, "\n".join(lines)


def _refused(file: Path, capsys: Captured, *more: str, code: int = 4) -> str:
    """Return what is said of a certificate that is not accepted."""
    capsys.readouterr()
    against = more or ("--against", str(file))
    assert main(["recheck", str(file), "--solver", "z3", *against]) == code
    out, err = capsys.readouterr()
    assert "confirmed" not in out
    assert "Traceback" not in err
    return " ".join(err.split())


def test_a_head_says_what_was_proved_and_from_what(written: Path) -> None:
    """Who finds the file years later must know what it speaks of, on whatever machine it is."""
    head = read_certificate(str(written)).head
    assert head.version == __version__
    assert head.subject == "counter_first.spec"
    (claim,) = head.claims
    assert claim.name == "failure_kept"
    assert claim.scope.startswith("from boot, every number of vCPUs")
    assert claim.assumptions
    assert claim.facts > 0
    assert CODE in body(written)
    texts = {x.path: x.answer for x in head.seen if x.kind in {"text", "shipped"}}
    for file in (written.parent / "counter_first.spec", written.parent / "counter_first.c"):
        assert texts[file.name] == Source("", file.read_text()).sha256
    assert {p.name for p in SHIPPED} < set(texts)
    assert str(written.parent) not in written.read_text()


def test_what_was_written_is_read_back() -> None:
    """A head that is read otherwise than it was written says something else of the proof."""
    head, text = _small()
    odd = replace(head, subject='a"\n; b\udc80é.c', read_as="\\ (check-sat)")
    found, _ = read_head(
        Source("a", seal_certificate(odd, text).split(f"\n{SEAL}")[0]), __version__
    )
    assert found == odd


@pytest.mark.slow
def test_a_sound_one_passes_with_both_solvers(written: Path, capsys: Captured) -> None:
    """Both decide anew, and it is told how much was looked at."""
    spec = str(written.parent / "counter_first.spec")
    assert main(["recheck", str(written), *SOLVERS, "--against", spec]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert re.search(r"failure_kept \(\d+ facts?\)", said)
    assert said.count("1 of 1 proof confirmed") == len(SOLVERS) // 2
    assert "the program was made anew from them" in said


def test_nothing_is_confirmed_without_the_sources(written: Path, capsys: Captured) -> None:
    """That questions written in a file are answered well says nothing about any code."""
    with pytest.raises(SystemExit, match="2"):
        main(["recheck", str(written)])
    assert "--against" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["counter_first.spec", "counter_first.c"])
def test_the_sources_are_compared(name: str, copied: Path, capsys: Captured) -> None:
    """They are found beside the file named, wherever that is, the spec's or the variant."""
    against = str(copied.parent / name)
    assert main(["recheck", str(copied), "--solver", "z3", "--against", against]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "8 files read for the proof" in said


@pytest.mark.parametrize("name", ["counter_first.spec", "counter_first.c"])
@pytest.mark.parametrize("edited", ["counter_first.spec", "counter_first.c"])
def test_an_edited_source_is_named(edited: str, name: str, copied: Path, capsys: Captured) -> None:
    """A proof of yesterday's code must not pass for one of today's; nothing else is blamed."""
    file = copied.parent / edited
    file.write_text(file.read_text() + "\n")
    said = _refused(copied, capsys, "--against", str(copied.parent / name))
    assert "[FP0916]" in said
    assert f"{edited}`: it is not as it was when this was proved" in said
    assert said.count("error[") == 1


def test_a_missing_source_is_named(copied: Path, capsys: Captured) -> None:
    """What is not there cannot be the same."""
    (copied.parent / "counter_first.c").unlink()
    said = _refused(copied, capsys, "--against", str(copied.parent / "counter_first.spec"))
    assert "counter_first.c`: it cannot be read now" in said


def _tree(tmp_path: Path) -> tuple[Path, Path]:
    """Return the certificate of a kernel file, and the same file in a copy of its tree."""
    first, second = tmp_path / "first", tmp_path / "a" / "second"
    shutil.copytree(KERNEL, first)
    shutil.copytree(KERNEL, second)
    inside = Path("arch/x86/kvm/vmx/vmx.c")
    options = ("--claim", "failure_kept", "--no-sanity")
    return _prove(first / inside, tmp_path / "out.txt", *options), second / inside


Edit = Callable[[Path], object]
KERNEL_EDITS: dict[str, tuple[str, Edit]] = {
    "header": ("include/asm/kvm_host.h", lambda p: p.write_text(p.read_text() + "\n")),
    "beside": ("kvm/kvm_onhyperv.h", lambda p: p.write_text(p.read_text() + "\n")),
    "gone": ("kvm/kvm_onhyperv.c", lambda p: p.unlink()),
    "new header": ("kvm/vmx/vmx.h", lambda p: p.write_text("int x;\n")),
    "new file": ("kvm/vmx/nested.c", lambda p: p.write_text("int x;\n")),
}


def test_every_file_of_a_kernel_tree_counts(tmp_path: Path, capsys: Captured) -> None:
    """Headers and files beside are read too, and ones that turn up would be; a move is no edit."""
    out, moved = _tree(tmp_path)
    head = read_certificate(str(out)).head
    assert head.facts > 0
    assert not list(file_differences(head.seen, head.subject, str(moved)))
    for name, edit in KERNEL_EDITS.values():
        file = moved.parents[2] / name
        before = file.read_bytes() if file.exists() else None
        edit(file)
        found = list(file_differences(head.seen, head.subject, str(moved)))
        blamed = {Path(x.path).name for x in found}
        assert blamed & {file.name, file.parent.name}, name
        _refused(out, capsys, "--against", str(moved))
        if before is None:
            file.unlink()
        else:
            file.write_bytes(before)
    assert not list(file_differences(head.seen, head.subject, str(moved)))


def test_what_is_shipped_counts(written: Path) -> None:
    """The prelude and the claims are read for every proof: others prove something else."""
    head = read_certificate(str(written)).head
    spec = str(written.parent / "counter_first.spec")
    for x in (x for x in head.seen if x.kind == "shipped"):
        other = [replace(y, answer="0" * 64) if y == x else y for y in head.seen]
        (found,) = file_differences(other, head.subject, spec)
        assert found.path == f"{x.path} of flushproof"


def test_cut_at_any_line(copied: Path, capsys: Captured) -> None:
    """What is missing might have been what the code does not do."""
    lines = copied.read_text().split("\n")[:-1]
    first = number_of(lines, SEAL)
    for number in {*range(1, first + 3), *range(first, len(lines), 37), len(lines) - 1}:
        for end in ("\n", ""):
            copied.write_text("\n".join(lines[:number]) + end)
            said = _refused(copied, capsys)
            places = (number,) if number >= first else (number, number + 1)
            assert any(f"{copied.name}:{x}:1" in said for x in places)
            assert ("[FP0914]" if number >= first else "[FP0912]") in said


def test_a_cut_one_says_how_much_is_left(copied: Path, capsys: Captured) -> None:
    """The number tells a reader how far a copy has got."""
    above, _, _ = copied.read_text().rpartition("; claim: ")
    copied.write_text(above)
    assert "the certificate is cut: 0 of 1 claims are here" in _refused(copied, capsys)


def test_one_line_removed(copied: Path, capsys: Captured) -> None:
    """A fact, a cut or a line of the head: none can go unnoticed."""
    lines = copied.read_text().split("\n")
    first = number_of(lines, SEAL)
    for number in {*range(first + 2), *range(first, len(lines) - 1, 41), len(lines) - 2}:
        copied.write_text("\n".join(x for k, x in enumerate(lines) if k != number))
        assert "error[FP09" in _refused(copied, capsys), lines[number]


def test_one_fact_changed(copied: Path, capsys: Captured) -> None:
    """A fact that holds nowhere makes every step of no account."""
    lines = copied.read_text().split("\n")
    number = next(k for k, x in enumerate(lines) if "@flusher" in x and " > " in x)
    lines[number] = lines[number].replace(" > ", " >= ")
    copied.write_text("\n".join(lines))
    said = _refused(copied, capsys)
    assert "[FP0913]: the body of the certificate was altered" in said
    assert f":{number_of(lines, '; sha256 of the body')}:1" in said


def test_a_headless_one(copied: Path, capsys: Captured) -> None:
    """Invariants alone say nothing of what they prove, nor whether they are all."""
    copied.write_text(body(copied))
    assert f"{copied.name}:1:1: error[FP0910]" in _refused(copied, capsys)


@pytest.mark.slow
def test_a_head_of_another_claim(copied: Path, tmp_path: Path, capsys: Captured) -> None:
    """The proof of one claim must not pass for one of another, with digests made anew or not."""
    source = copied.parent / "counter_first.spec"
    claim = ("--claim", "no_uninit", "--no-sanity")
    other = _prove(source, tmp_path / "other.txt", *claim)
    above = other.read_text().removesuffix(body(other))
    proofs = body(copied)
    copied.write_text(above + proofs)
    assert "error[FP0913]" in _refused(copied, capsys)
    copied.write_text(seal_certificate(read_certificate(str(other)).head, proofs))
    said = _refused(copied, capsys)
    assert "error[FP0915]: the head speaks of" in said
    assert "about no_uninit, and there are" in said
    assert "about failure_kept" in said


@pytest.mark.parametrize(
    "edit",
    [
        lambda h: replace(h, claims=(replace(h.claims[0], facts=2), h.claims[1])),
        lambda h: replace(h, claims=h.claims[:1]),
        lambda h: replace(h, claims=(*h.claims, ProvedClaim("three", "", (), 1))),
        lambda h: replace(h, claims=(*h.claims, ProvedClaim("three", "", (), 0))),
        lambda h: replace(h, claims=h.claims[::-1]),
        lambda h: replace(h, claims=()),
    ],
)
def test_a_wrong_number_under_right_digests(
    edit: Callable[[Head], Head], tmp_path: Path, capsys: Captured
) -> None:
    """Who writes certificates wrongly is told of it too."""
    head, text = _small()
    file = tmp_path / "small.txt"
    file.write_text(seal_certificate(head, text))
    assert read_certificate(str(file)).head == head
    file.write_text(seal_certificate(edit(head), text))
    assert "error[FP0915]" in _refused(file, capsys)


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("format", "1", "FP0911"),
        ("format", "true", "FP0912"),
        ("format", "1.0", "FP0912"),
        ("format", "[" * 100_000, "FP0912"),
        ("format", "9" * 10_000, "FP0912"),
        ("flushproof", '"0.0.1"', "FP0911"),
        ("flushproof", "1", "FP0912"),
        ("about", '"b.c"', "FP0913"),
        ("about", '"\\u0061.c"', "FP0912"),
        ("scope", '"all and more"', "FP0913"),
        ("assuming", '"none"', "FP0912"),
        ("facts", "2", "FP0912"),
        ("read with", "{}", "FP0912"),
        ("text", '["0"]', "FP0912"),
        ("text", '["0", "a.c", "b.c"]', "FP0912"),
        ("all facts", "1", "FP0912"),
        ("sha256 of the body", f'"{"0" * 64}"', "FP0913"),
        ("sha256 of the head", f'"{"0" * 64}"', "FP0913"),
        ("sha256 of the head", '"0"', "FP0912"),
    ],
)
def test_a_line_of_the_head_changed(
    key: str, value: str, code: str, tmp_path: Path, capsys: Captured
) -> None:
    """Each is refused at its own line, or at that of the digest which no longer fits."""
    lines = seal_certificate(*_small()).split("\n")
    number = next(k for k, x in enumerate(lines) if x.startswith(f"; {key}: "))
    lines[number] = f"; {key}: {value}"
    file = tmp_path / "small.txt"
    file.write_text("\n".join(lines))
    said = _refused(file, capsys)
    assert f"error[{code}]" in said
    assert "small.txt:" in said


@pytest.mark.parametrize("line", ['; proves: "a"', "; more", ""])
def test_a_line_of_the_head_too_many(line: str, tmp_path: Path, capsys: Captured) -> None:
    """What nobody wrote there says nothing, wherever it is put."""
    lines = seal_certificate(*_small()).split("\n")
    file = tmp_path / "small.txt"
    for number in range(number_of(lines, SEAL) + 1):
        file.write_text("\n".join([*lines[:number], line, *lines[number:]]))
        assert "error[FP09" in _refused(file, capsys), number


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "FP0204"),
        (b"\n \n", "FP0204"),
        (b"\x7fELF\x01\x00\x00", "FP0206"),
        (b"\xff\xfe;", "FP0206"),
        (b"\xef\xbb\xbf" + seal_certificate(*_small()).encode(), "FP0910"),
        (seal_certificate(*_small()).replace("\n", "\r\n").encode(), "FP0910"),
        (b"int main(void) { return 0; }\n", "FP0910"),
        (BEGINS.encode(), "FP0912"),
        (b"; " * 3_000_000, "FP0910"),
    ],
)
def test_what_is_no_text_of_a_certificate(
    data: bytes, code: str, tmp_path: Path, capsys: Captured
) -> None:
    """Any file can be named by mistake."""
    file = tmp_path / "any.txt"
    file.write_bytes(data)
    assert f"error[{code}]" in _refused(file, capsys)


def test_a_folder_and_a_huge_file(tmp_path: Path, capsys: Captured) -> None:
    """Neither is read to its end."""
    assert "error[FP0202]" in _refused(tmp_path, capsys, code=2)
    huge = tmp_path / "huge.txt"
    with huge.open("wb") as stream:
        stream.write(seal_certificate(*_small()).encode())
        os.truncate(stream.fileno(), certificate_file.LIMIT + 1)
    assert "error[FP0205]" in _refused(huge, capsys)


def test_a_certificate_may_be_larger_than_a_source(tmp_path: Path) -> None:
    """Those of all claims of one file are; what `prove` writes `recheck` must read."""
    head, text = _small()
    file = tmp_path / "large.txt"
    file.write_text(seal_certificate(head, f"{' ' * 5_000_000}\n{text}"))
    assert read_certificate(str(file)).head == head


@pytest.mark.slow
def test_one_that_could_not_be_read_back_is_not_written(
    copied: Path, tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that `recheck` refuses would be found out too late."""
    monkeypatch.setattr(certificate_file, "LIMIT", 1000)
    out = tmp_path / "new.txt"
    _prove(copied.parent / "counter_first.spec", out, "--claim", "failure_kept", "--no-sanity")
    assert not out.exists()
    assert "choose fewer claims" in " ".join(capsys.readouterr().err.split())


def test_what_is_not_proved_for_every_number_is_not_in_one(
    copied: Path, tmp_path: Path, capsys: Captured
) -> None:
    """With buffered stores claims are decided within bounds; nothing may look like a proof."""
    spec = copied.parent / "counter_first.spec"
    options = ("--claim", "failure_kept", "--no-sanity", "--memory", "tso", "--vcpus", "1")
    out = _prove(spec, tmp_path / "tso.txt", *options)
    assert "; claim" not in out.read_text()
    assert out.read_text().startswith(BEGINS)
    assert "error[FP0908]" in _refused(out, capsys)


SMALL = seal_certificate(*_small()).encode()
DAMAGE = st.one_of(
    st.integers(0, len(SMALL) - 1).map(lambda n: SMALL[:n]),
    st.integers(1, len(SMALL)).map(lambda n: SMALL[n:]),
    st.tuples(st.integers(0, len(SMALL) - 1), st.integers(1, 255)).map(
        lambda x: SMALL[: x[0]] + bytes([SMALL[x[0]] ^ x[1]]) + SMALL[x[0] + 1 :]
    ),
    st.tuples(st.integers(0, len(SMALL)), st.binary(min_size=1, max_size=9)).map(
        lambda x: SMALL[: x[0]] + x[1] + SMALL[x[0] :]
    ),
    st.tuples(st.integers(0, len(SMALL) - 1), st.integers(1, 60)).map(
        lambda x: SMALL[: x[0]] + SMALL[x[0] + x[1] :]
    ),
    st.permutations(SMALL.split(b"\n")).map(b"\n".join),
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(DAMAGE)
def test_whatever_is_not_what_was_written_is_refused(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    """Cut anywhere, a byte flipped, put in or left out: never is the answer that it is proved."""
    file = tmp_path_factory.getbasetemp() / "fuzzed.txt"
    file.write_bytes(data)
    if data == SMALL:
        return
    assert main(["recheck", str(file), "--solver", "z3", "--against", str(file)]) == 4


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_byte_of_a_long_one_is_flipped(written: Path, data: st.DataObject) -> None:
    """The proofs proper are under the digest from the first byte to the last."""
    whole_text = written.read_bytes()
    at = data.draw(st.integers(0, len(whole_text) - 1))
    bit = 1 << data.draw(st.integers(0, 7))
    file = written.parent / "flipped.txt"
    file.write_bytes(whole_text[:at] + bytes([whole_text[at] ^ bit]) + whole_text[at + 1 :])
    with pytest.raises(InputError):
        read_certificate(str(file))


def test_every_line_of_the_head_is_one_line() -> None:
    """Whatever stands in a name, it cannot end its line."""
    head, _ = _small()
    odd = replace(head, subject="a\n(exit)\r(exit)\u2028(exit)")
    text = "\n".join(head_lines(odd))
    assert all(x.startswith("; ") for x in text.splitlines())


@pytest.mark.slow
def test_a_link_to_the_folder_is_no_other_folder(written: Path, tmp_path: Path) -> None:
    """Names start from where the file lies, however it is reached."""
    link = tmp_path / "link"
    link.symlink_to(written.parent, target_is_directory=True)
    claim = ("--claim", "failure_kept", "--no-sanity")
    head = read_certificate(
        str(_prove(link / "counter_first.spec", tmp_path / "out.txt", *claim))
    ).head
    assert head == read_certificate(str(written)).head
    assert not list(file_differences(head.seen, head.subject, str(link / "counter_first.c")))


def test_a_proof_that_did_not_read_its_file_is_an_error() -> None:
    """A head that leaves out what was proved would fit any source."""
    with pytest.raises(InternalError):
        files_seen((), "a.c")
    with pytest.raises(InternalError):
        files_seen((FileLook("text", "a.c", "ENOENT"), FileLook("file", "a.c", "yes")), "a.c")
