"""What a newcomer gets wrong first: each time the place, what it should be, and one exit code."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

from flushproof.cli import main as cli
from flushproof.frontend.spec.message_names import PARTS
from flushproof.report.plain import hang_text, shorten_names
from flushproof.verify.trace import message
from support.places import SPECS, TOP

TUTORIAL = TOP / "docs" / "tutorial"
CLAIM = """
    claim quick "a call issues one hypercall" {
        any call c;
        int calls;
        on hypercall(r) in c  { calls++; }
        on return c(ret)      { assert(calls <= 1); }
        headline "a call issues {calls} hypercalls";
    }
"""


@pytest.fixture(autouse=True)
def _in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("first.c", "first.spec"):
        shutil.copy(TUTORIAL / name, name)


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    try:
        code = cli.main(list(arguments))
    except SystemExit as stopped:
        code = int(str(stopped.code))
    out, err = capsys.readouterr()
    return code, out, " ".join(err.split())


def _edit(name: str, old: str, new: str) -> None:
    text = Path(name).read_text(encoding="utf-8")
    assert old in text
    Path(name).write_text(text.replace(old, new), encoding="utf-8")


SLIPS = {
    "a local is declared twice": (
        ("int ret = 0, i;", "int ret = 0, i;\n\tint ret = 1;"),
        "defined twice int ret = 1; ^^^^^^^ help: give one of them another name",
    ),
    "a lock by value": (
        ("spin_lock(&vm->lock)", "spin_lock(vm->lock)"),
        (
            "first.c:23:12: error[FP0425]: `spin_lock()` takes a `struct spinlock *`, and "
            "`vm->lock` is a `struct spinlock`"
        ),
    ),
    "a pointer followed once too often": (
        ("*vm = to_kvm_vmx(kvm)", "*vm = to_kvm_vmx(*kvm)"),
        "help: write `kvm`",
    ),
    "a struct misspelt where it is used": (
        ("struct kvm_vmx *vm = to_kvm_vmx(kvm)", "struct kvm_vmxx *vm = to_kvm_vmx(kvm)"),
        (
            "first.c:19:18: error[FP0412]: type `struct kvm_vmxx` is not defined (did you mean "
            "`kvm_vmx`?)"
        ),
    ),
    "a struct misspelt where it is defined": (
        ("struct kvm_vmx {", "struct kvm_vmxx {"),
        (
            "first.c:19:23: error[FP0412]: type `struct kvm_vmx` is not defined (did you mean "
            "`kvm_vmxx`?)"
        ),
    ),
    "a struct misspelt in a parameter": (
        ("struct kvm_vcpu *vcpu, hpa_t", "struct kvm_vcpuu *vcpu, hpa_t"),
        "first.c:41:14: error[FP0412]: type `struct kvm_vcpuu` is not defined",
    ),
    "a struct misspelt in a member": (
        ("struct kvm_vcpu vcpu;", "struct kvm_vcpuu vcpu;"),
        "error[FP0412]: type `struct kvm_vcpuu` is not defined (did you mean `kvm_vcpu`?)",
    ),
    "a loop that is none": (
        ("kvm_for_each_vcpu(", "kvm_foreach_vcpu("),
        "first.c:28:3: error[FP0426]: `kvm_foreach_vcpu` is no loop",
    ),
}


@pytest.mark.parametrize("name", list(SLIPS))
def test_slips_in_c(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A message that blames the prelude, the spec or a brace sends the reader to the wrong file."""
    (old, new), said = SLIPS[name]
    _edit("first.c", old, new)
    code, out, err = _run(capsys, "prove", "first.spec", "--claim", "coverage")
    assert (code, out) == (4, ""), err
    assert said in err


MISSTATED = {
    "asert": ("assert(calls", "asert(calls", "(did you mean `assert`?)"),
    "unlockd": ("assert(calls <= 1)", "assert(unlockd())", "(did you mean `unlocked`?)"),
    "headline": (
        "{calls} hyper",
        "{callz} hyper",
        ":19:34: error[FP0501]: `callz` is no name of this claim (did you mean `calls`?)",
    ),
    "part": ("{calls} hyper", "{c.cals} hyper", "`cals` is no part of a message (did you mean"),
}


@pytest.mark.parametrize("name", list(MISSTATED))
def test_slips_in_claims(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A claim that cannot be read is told before time goes into the others, not after them."""
    old, new, said = MISSTATED[name]
    _edit("first.spec", "expect {", f"{CLAIM}    expect {{")
    _edit("first.spec", old, new)
    code, out, err = _run(capsys, "prove", "first.spec")
    assert (code, out) == (4, ""), err
    assert said in err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("coverage proved", "coverag proved"),
        ("coverage proved", "coverage provd"),
        ("1..4", "4..1"),
        ("loads 2", "loads 99999"),
        ("loads 2", "lods 2"),
        ('variant "first.c"', 'variant "frist.c"'),
        ("flush my_flush(kvm)", "flush my_flsh(kvm)"),
        ("->common = INVALID", "->comon = INVALID"),
    ],
)
def test_mistakes_in_a_spec_have_one_exit_code(
    old: str, new: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script cannot tell a bad file from a bad command line if specs exit with both codes."""
    _edit("first.spec", old, new)
    code, _, err = _run(capsys, "check", "first.spec")
    assert code == 4, err
    assert err.startswith("first.spec:")


def test_the_same_names_on_the_command_line_are_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """A path or a claim that was mistyped is no fault of the file."""
    assert _run(capsys, "check", "frist.spec")[0] == 2
    assert _run(capsys, "check", "first.spec", "--claim", "coverag")[0] == 2


def test_own_names_without_a_spec(capsys: pytest.CaptureFixture[str]) -> None:
    """Who has functions of their own must be told what to write, in words that work as they are."""
    code, _, err = _run(capsys, "prove", "first.c")
    assert code == 4
    spec = re.search(r"`(spec first \{.*?\} \})`", err)
    assert spec is not None, err
    assert "`--flush my_flush --load my_load`" in err
    Path("mine.spec").write_text(spec[1], encoding="utf-8")
    assert _run(capsys, "prove", "mine.spec", "--list")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "first.c"), "for a C file say `flushproof prove first.c`"),
        (("config", "."), "`.` is a folder, and `config` takes a file"),
        (("prove", "first.c", "--format", "xml"), "`xml` is not known; known: text, json,"),
        (("prove", "first.c", "--format", "jsn"), "(did you mean `json`?)"),
        (("prove", "first.c", "--clam", "x"), "no option `--clam` (did you mean `--claim`?)"),
        (("prove", "--clam=x"), "there is no option `--clam` (did you mean `--claim`?)"),
        (("prove", "--clam", "x"), "there is no option `--clam` (did you mean `--claim`?)"),
        (("prove", "--spec", "first.spec", "first.spec"), "is a spec itself"),
        (("prove", "."), "`.` is a folder, not a file"),
        (("--versoin",), "there is no option `--versoin` (did you mean `--version`?)"),
        (("prov", "first.c"), "`prov` is not known (did you mean `prove`?)"),
        (("config", "first.spec", "x"), "`x` is one argument too many"),
    ],
)
def test_wrong_usage(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page of usage hides the one word that was wrong."""
    code, out, err = _run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert "usage:" not in err


def test_no_arguments_show_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Who types the bare name wants to know what there is, codes of signals included."""
    code, out, _ = _run(capsys)
    assert code == 0
    assert all(word in out for word in ("prove", "explain", "\n  130 ", "\n  143 "))


def test_explain_cuts_no_line_without_a_mark(capsys: pytest.CaptureFixture[str]) -> None:
    """A line of a claim that is cut short reads as if it said something else."""
    code, out, _ = _run(capsys, "explain", "coverage", "--no-example", "--width", "60")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 60
    whole = " ".join(out.replace(" \\\n", " ").split())
    text = (SPECS / "claims.claims").read_text(encoding="utf-8")
    claim = text[text.index("claim coverage") : text.index("claim no_repeat")]
    assert " ".join(claim.split()) in whole


def test_a_path_is_not_broken() -> None:
    """Nobody can copy a path that goes on in the next line."""
    path = "a/folder/" * 12 + "file.c"
    assert path in "\n".join(hang_text("", f"{path}: 2 proved", 60, indent=2))


@pytest.mark.parametrize(
    "names",
    [
        ["linux-5.10/arch/x86/kvm/vmx/vmx.c", "linux-5.15/arch/x86/kvm/vmx/vmx.c"],
        ["tree/old/arch/x86/kvm/vmx/vmx.c", "tree/new/arch/x86/kvm/vmx/vmx.c"],
        ["a_long_name_of_a_file_version_one.c", "a_long_name_of_a_file_version_two.c"],
        ["one_of_many_names_that_are_long.c", "two_of_many_names_that_are_long.c"],
        ["short.c", "other.c"],
        ["x" * 40 + "1" + "y" * 40, "x" * 40 + "2" + "y" * 40],
    ],
)
def test_labels_keep_what_tells_them_apart(names: list[str]) -> None:
    """Two rows under one label cannot be told apart."""
    labels = shorten_names(names, 25)
    assert len(set(labels)) == len(names)
    assert all(len(label) <= 25 for label in labels) or labels == names


def test_json_lines_say_what_json_says(capsys: pytest.CaptureFixture[str]) -> None:
    """Who reads lines must learn of input that is not accepted, too, and of the same verdicts."""
    named = ("prove", "first.spec", "--claim", "no_repeat", "--vcpus", "1", "--loads", "1")
    for arguments in (("prove", "gone.c"), named):
        _, whole, _ = _run(capsys, *arguments, "--format", "json")
        _, lines, _ = _run(capsys, *arguments, "--format", "jsonl")
        document = json.loads(whole)
        *results, last = [json.loads(line) for line in lines.splitlines()]
        assert (last["exit"], last.get("errors")) == (document["exit"], document.get("errors"))
        found = [c for r in results for c in r["claims"]]
        for claim in (*found, *document.get("claims", [])):
            del claim["seconds"]
        assert found == document.get("claims", [])


def test_messages_may_name_what_can_be_told() -> None:
    """A part that is refused is lost to authors; one that nobody fills in is shown as `?`."""
    assert set(PARTS) == set(message._ATTRIBUTES)


def test_a_misspelt_loop_of_a_kernel_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Who is told of a header that is missing looks for it, and it was a slip of the pen."""
    _edit("first.c", "kvm_for_each_vcpu(", "kvm_foreach_vcpu(")
    code, _, err = _run(capsys, "prove", "first.c", "--flush", "my_flush", "--load", "my_load")
    assert code == 4
    assert err.startswith("first.c:28:3: error[FP0607]:")
    assert "(did you mean `kvm_for_each_vcpu`?)" in err
