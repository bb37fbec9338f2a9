"""Bad input, end to end through the command line: a message with a place, and no traceback."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from flushproof.cli import main as cli

STRUCTS = """\
struct kvm_vmx { struct kvm kvm; u64 cached; int word; bool flag; spinlock_t lock; rwlock_t rw; };
struct vcpu_vmx { struct kvm_vcpu vcpu; u64 root; };
"""
FLUSH = """
int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range)
{{
	int ret = 0, i;
	struct kvm_vcpu *vcpu;
	{body}
	return ret;
}}
"""
LOAD = """
void vmx_load_mmu_pgd(struct kvm_vcpu *vcpu, unsigned long root, int level)
{
	to_vmx(vcpu)->root = root;
}
"""
SPEC = """\
spec small {
	variant "small.c";
	operations {
		flush hv_remote_flush_tlb_with_range(kvm, range);
		load vmx_load_mmu_pgd(vcpu, root, free);
	}
}
"""
MARK = "@"
Outcome = tuple[int, str, str]


@pytest.fixture(autouse=True)
def _in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every test short paths, which no line of a message has to be broken for."""
    monkeypatch.chdir(tmp_path)


def _text(body: str = "", before: str = "") -> str:
    return STRUCTS + before + FLUSH.format(body=body) + LOAD


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Outcome:
    try:
        code = cli.main(arguments)
    except SystemExit as stopped:
        code = int(str(stopped.code))
    captured = capsys.readouterr()
    assert "Traceback" not in captured.err
    assert "internal error" not in captured.err
    return code, captured.out, captured.err


def _flat(text: str) -> str:
    """Return the text with lines that were broken for the width put together."""
    return " ".join(text.split())


def _prove(
    capsys: pytest.CaptureFixture[str], path: Path, *more: str, claim: str = "coverage"
) -> Outcome:
    bounds = ("--vcpus", "1", "--loads", "1", "--flushes", "1")
    return _run(capsys, "prove", str(path), "--claim", claim, *bounds, *more)


def _refused(
    capsys: pytest.CaptureFixture[str], path: Path, said: str, place: tuple[int, int] | None
) -> None:
    code, out, err = _prove(capsys, path)
    assert (code, out) == (4, ""), err
    excerpt = err.splitlines()[1:]
    found = re.match(rf"{re.escape(str(path))}:(\d+):(\d+): error\[FP\d+\]: (.*)", _flat(err))
    assert found, err
    assert found[3].startswith(said)
    assert any(line.strip(" |").startswith("^") for line in excerpt), err
    if place is not None:
        assert (int(found[1]), int(found[2])) == place


def _unmarked(text: str) -> tuple[str, tuple[int, int] | None]:
    """Take the mark out of a text and return where it stood."""
    before, mark, after = text.partition(MARK)
    if not mark:
        return text, None
    return before + after, (before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)


BODIES: dict[str, tuple[str, str]] = {
    # Syntax
    "missing semicolon": ("ret = 1\n\t@ret = 2;", "unexpected `ret`"),
    "stray token": ("ret = @;", "unexpected `;`"),
    "unclosed bracket": ("ret = @(1;", "this `(` is never closed"),
    "unknown type": ("foo_t @x;", "unexpected `x`"),
    # Outside the subset
    "inline assembly": ('@asm("nop");', "outside the subset: "),
    "floating constant": ("ret = @1.5;", "outside the subset: "),
    "float": ("@float x;", "outside the subset: "),
    "variable-length array": ("int x[@i];", ""),
    "index": ("ret = @kvm[0];", "outside the subset: "),
    "sizeof": ("ret = @sizeof(struct kvm);", "outside the subset: the size of"),
    "static local": ("static int x = @ret; ret = x;", "`ret` is not declared"),
    "braces in an expression": ("ret = (struct kvm_tlb_range)@{ 1, 2 };", "outside the subset: "),
    "two targets": (
        "int *p = &ret; if (i) @p = &i; *p = 1;",
        "outside the subset: a pointer with more than one target",
    ),
    "pointer as a number": ("ret = @(int)&ret;", "outside the subset: "),
    "assignment to a lock": ("@to_kvm_vmx(kvm)->lock = to_kvm_vmx(kvm)->lock;", ""),
    "computed goto": ("goto @*kvm;", ""),
    # Names and types
    "undefined function": ("@missing(kvm);", "function `missing` is not defined"),
    "undefined name": ("ret = @nothing;", "`nothing` is not declared"),
    "assigned name": ("@nothing = 1;", "`nothing` is not declared"),
    "misspelt name": ("@rett = 1;", "`rett` is not declared (did you mean `ret`?)"),
    "undefined struct": ("struct nowhere @x;", ""),
    "undefined member": (
        "@to_kvm_vmx(kvm)->cachd = 1;",
        "`struct kvm_vmx` has no member `cachd` (did you mean `cached`?)",
    ),
    "undefined label": ("@goto nowhere;", "label `nowhere` is not defined"),
    "label twice": ("out: ret = 1; @out: ret = 2;", "label `out` is defined twice"),
    "missing lock": (
        "spin_lock(&@to_kvm_vmx(kvm)->lokc);",
        "`struct kvm_vmx` has no member `lokc` (did you mean `lock`?)",
    ),
    "readers of a spinlock": (
        "@read_lock(&to_kvm_vmx(kvm)->lock);",
        "`lock` is a lock that has no readers",
    ),
    "another sort of lock": (
        "@spin_lock(&to_kvm_vmx(kvm)->rw);",
        "`spin_lock()` takes a `struct spinlock *`, and `rw` is a `struct rwlock`",
    ),
    "not a lock": ("@spin_lock(&to_kvm_vmx(kvm)->word);", "`word` is not a lock"),
    "too many arguments": (
        "@hyperv_flush_guest_mapping(1, 2);",
        "wrong number of arguments to `hyperv_flush_guest_mapping()`: 2, not 1",
    ),
    "too few arguments": (
        "@hyperv_flush_guest_mapping();",
        "wrong number of arguments to `hyperv_flush_guest_mapping()`: 0, not 1",
    ),
    "stray break": ("@break;", "`break` is not within a loop"),
    "stray continue": ("@continue;", "`continue` is not within a loop"),
    "stray case": ("@case 3: ret = 1;", "`case` is not within a switch"),
    "return without a value": ("@return;", ""),
    "member of a number": ("@ret->x = 1;", ""),
    "call of a variable": ("@ret(3);", "outside the subset: a call through a pointer"),
    "dereferenced number": ("@*ret = 1;", ""),
    "assigned constant": ("@3 = ret;", ""),
    "division of pointers": ("ret = @kvm / kvm;", ""),
    "case is not constant": ("switch (ret) { case @i: ret = 1; }", "not an integer constant"),
}

BEFORE: dict[str, tuple[str, str]] = {
    "union": ("@union u { int x; };\n", "outside the subset: "),
    "struct twice": ("struct kvm_vmx { int x; };\n", "struct `kvm_vmx` is defined twice"),
    "enum twice": ("enum e { A };\nenum e { B };\n", "enum `e` is defined twice"),
    "enumerator twice": ("enum { A, @A };\n", "enumerator `A` is defined twice"),
    "function twice": ("int g(void) { return 1; }\nint g(void) { return 2; }\n", "function `g`"),
    "goto in nothing": ("@goto x;\n", "unexpected `goto`"),
    "unterminated comment": ("@/* no end\n", ""),
    "unterminated string": ('@"no end\n', ""),
    "unknown directive": ("#@frobnicate\n", ""),
    "missing endif": ("#@ifdef X\n", ""),
    "stray endif": ("#@endif\n", ""),
    "error directive": ("#@error no\n", ""),
    "macro arguments": ("#define TWO(x, y) x\nint v = @TWO(1);\n", ""),
    "stray character": ("int x = 1 @` 2;\n", ""),
}


@pytest.mark.sample(every=4)
@pytest.mark.parametrize("name", list(BODIES))
def test_bodies(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The message has the place of the mark, so that an editor jumps there."""
    body, said = BODIES[name]
    text, place = _unmarked(_text(body))
    path = Path("bad.c")
    path.write_text(text)
    _refused(capsys, path, said, place)


@pytest.mark.parametrize("name", list(BEFORE))
def test_declarations(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As above, outside functions."""
    before, said = BEFORE[name]
    text, place = _unmarked(_text(before=before))
    path = Path("bad.c")
    path.write_text(text)
    _refused(capsys, path, said, place)


RECURSIVE = {
    "direct": (
        "static int g(int x)\n{\n\treturn x ? @g(x - 1) : 0;\n}\n",
        "`g` calls itself: g -> g",
    ),
    "mutual": (
        (
            "static int h(int x);\nstatic int g(int x)\n{\n\treturn h(x);\n}\n"
            "static int h(int x)\n{\n\treturn @g(x);\n}\n"
        ),
        "`g` calls itself: g -> h -> g",
    ),
}


@pytest.mark.parametrize("name", RECURSIVE)
def test_recursion(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Inlining without this check would not end."""
    before, said = RECURSIVE[name]
    text, place = _unmarked(_text("ret = g(3);", before))
    path = Path("bad.c")
    path.write_text(text)
    _refused(capsys, path, said, place)


ENDLESS = {
    "empty loop": "while (1) ;",
    "for ever": "for (;;) ret++;",
    "until it succeeds": "do ret = hyperv_flush_guest_mapping(0x1000); while (ret);",
    "goto again": "again: ret = 1; goto again;",
    "waits for another": "while (!to_kvm_vmx(kvm)->flag) ret++;",
    "retry": "again: if (hyperv_flush_guest_mapping(0x1000)) goto again;",
}


ENDS_SOMETIMES = ("until it succeeds", "retry")


@pytest.mark.parametrize("name", ENDLESS)
def test_endless(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A loop without a bound must be named, neither unrolled for ever nor cut off silently.

    A claim that fails behind it, once it has ended, fails.
    """
    path = Path("bad.c")
    path.write_text(_text(ENDLESS[name]))
    code, out, err = _prove(capsys, path)
    assert code in ((1,) if name in ENDS_SOMETIMES else (3, 4)), (out, err)
    assert "proved" not in out.split("\n")[0]
    assert re.search(r"bad\.c:\d+", out + err)


FILES: dict[str, tuple[bytes, int, str]] = {
    "empty": (b"", 4, "is empty"),
    "blank": (b"\n \n", 4, "is empty"),
    "binary": (bytes(range(256)) * 4, 4, "is not a text file"),
    "zero bytes": (b"int x;\0int y;", 4, "is not a text file: it holds a zero byte"),
    "not utf-8": (b"int x; /* \xff\xfe */", 4, "is not a text file"),
    "ten megabytes": (b"int x;\n" * 1_500_000, 4, "is larger than"),
    "no functions": (b"int x;\n", 4, "defines no function `hv_remote_flush_tlb_with_range`"),
    "prototypes only": (
        b"int hv_remote_flush_tlb_with_range(struct kvm *kvm, struct kvm_tlb_range *range);\n",
        4,
        "defines no function `hv_remote_flush_tlb_with_range`",
    ),
    "comment only": (b"/* nothing */\n", 4, "defines no function"),
    "one long name": (b"int " + b"x" * 1_000_000 + b";", 4, "defines no function"),
    "one long line": (b"int x;" * 100_000, 4, ""),
}


@pytest.mark.sample("empty", "binary", "not utf-8", "no functions", "prototypes", "comment")
@pytest.mark.parametrize("name", FILES)
def test_files(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever a file holds, the answer is a message of a readable length."""
    content, expected, said = FILES[name]
    path = Path("bad.c")
    path.write_bytes(content)
    code, out, err = _prove(capsys, path)
    assert (code, out) == (expected, "")
    assert "error[FP" in err
    assert said in err
    assert len(err) < 4000


def test_places_that_are_no_files(capsys: pytest.CaptureFixture[str]) -> None:
    """A folder, a missing file and one that may not be read are told apart."""
    assert _prove(capsys, Path())[0] == 2
    assert _prove(capsys, Path("none.c"))[0] == 2
    assert _run(capsys, "check", str(Path("none.spec")))[0] == 2
    assert _run(capsys, "check", ".")[0] == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read everything")
def test_unreadable(capsys: pytest.CaptureFixture[str]) -> None:
    """The reason is the system's."""
    path = Path("bad.c")
    path.write_text(_text())
    path.chmod(0)
    code, out, err = _prove(capsys, path)
    assert (code, out) == (4, "")
    assert "permission denied" in err


HUGE: dict[str, str] = {
    "parentheses": f"ret = {'(' * 10_000}1{')' * 10_000};",
    "blocks": "{" * 10_000 + "}" * 10_000,
    "else-ifs": "if (ret) ret = 1;" + " else if (ret) ret = 2;" * 5_000,
    "unary operators": f"ret = {'!' * 10_000}ret;",
    "binary operators": f"ret = {'ret + ' * 10_000}1;",
    "assignments": f"{'ret = ' * 10_000}1;",
    "conditionals": f"ret = {'ret ? 1 : ' * 10_000}1;",
    "commas": f"ret = ({'ret, ' * 10_000}1);",
    "casts": f"ret = {'(int)' * 10_000}ret;",
    "ifs": "if (ret) " * 10_000 + ";",
    "labels": "".join(f"l{n}: " for n in range(5_000)) + ";",
    "statements": "ret++;" * 30_000,
    "digits": f"ret = {'9' * 10_000};",
    "hexadecimal digits": f"ret = 0x{'f' * 100_000};",
    "a name": f"{'x' * 1_000_000} = 1;",
    "members": f"ret = kvm{'->arch' * 5_000};",
    "declarators": "int " + ", ".join(f"v{n} = {n}" for n in range(2_000)) + ";",
}


@pytest.mark.sample("digits", "parentheses")
@pytest.mark.parametrize("name", list(HUGE))
def test_huge(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Size beyond reason is refused or handled, never a recursion error or a page of output."""
    path = Path("bad.c")
    path.write_text(_text(HUGE[name]))
    code, out, err = _prove(capsys, path)
    assert code in (0, 1, 3, 4), err
    assert len(out) + len(err) < 8000
    if code == 4:
        assert out == ""
        assert re.match(r".*bad\.c:\d+:\d+: error\[FP\d+\]: ", err)


MACROS = {
    "bomb": "#define A0 1\n"
    + "".join(f"#define A{n + 1} A{n} + A{n} + A{n} + A{n}\n" for n in range(30))
    + "int v = A30;\n",
    "bomb of arguments": "#define D(x) x x x x x x x x\nint v = "
    + "D(" * 12
    + "+1"
    + ")" * 12
    + ";\n",
    "calls itself": "#define LOOP LOOP + 1\nint v = LOOP;\n",
    "call each other": "#define PING PONG\n#define PONG PING\nint v = PING;\n",
}


@pytest.mark.sample(every=2)
@pytest.mark.parametrize("name", MACROS)
def test_macros(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A few lines of macros may not fill the memory."""
    path = Path("bad.c")
    path.write_text(_text("ret = v;", MACROS[name]))
    code, out, err = _prove(capsys, path)
    assert (code, out) == (4, "")
    assert re.match(r".*bad\.c:\d+:\d+: error\[FP\d+\]: ", err)
    assert len(err) < 4000


@pytest.mark.parametrize(
    "before",
    [
        "struct s { int x; struct s again; };\n",
        "struct s { struct t t; };\nstruct t { struct s s; };\n",
        "struct s { struct s *next; int x; };\n",
        "struct kvm_arch { struct kvm kvm; };\n",
    ],
)
def test_structs_that_contain_themselves(before: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Walking the members of such a struct would not end."""
    path = Path("bad.c")
    body = "struct s v; v.x = 1; ret = v.x;" if "s;" in before or "x;" in before else ""
    path.write_text(_text(body, before))
    code, _, err = _prove(capsys, path)
    assert code in (0, 1, 3, 4), err


def test_goto_into_a_loop(capsys: pytest.CaptureFixture[str]) -> None:
    """Allowed in C, so it works or is refused, with a place."""
    path = Path("odd.c")
    body = "i = 1; if (range) goto in; for (i = 0; i < 3; i++) { in: ret++; }"
    path.write_text(_text(body + " ret = 0;"))
    code, out, err = _prove(capsys, path, claim="failure_true")
    assert code in (0, 4), out + err


@pytest.mark.parametrize(
    "body",
    [
        "i = range ? 1 : 0; for (; i < 3; i++) ret++; ret = 0;",
        "i = 4; if (range) i = 2; while (i) i--;",
        "i = range ? 1 : 3; do ret++; while (--i > 0); ret = 0;",
    ],
)
def test_loops_whose_bound_depends_on_data(body: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A loop that ends for every input is decided, also where the solver has to find that out."""
    path = Path("good.c")
    path.write_text(_text(body))
    code, out, err = _prove(capsys, path, claim="failure_true")
    assert code == 0, out + err


@pytest.mark.parametrize(
    "body",
    [
        "goto on; int x = 5; ret = x; on: ret = x;",
        "switch (ret) { int x = 1; case 0: ret = x; }",
        "goto on; { int x; on: x = 0; ret = x; }",
        "goto on; struct kvm_tlb_range r = { 1, 2 }; on: ret = r.pages;",
        "goto on; int *p = &ret; on: *p = 1;",
    ],
)
def test_jump_over_a_declaration(body: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The variable exists and holds anything; the engines must not trip over it."""
    path = Path("odd.c")
    path.write_text(_text(body))
    code, out, err = _prove(capsys, path, claim="failure_true")
    assert code in (0, 1, 3, 4), out + err


FAULTS = {
    "null": "vcpu = NULL; ret = to_vmx(vcpu)->root;",
    "null from lookup": "ret = to_vmx(kvm_get_vcpu(kvm, 1))->root;",
    "null range": "ret = range->pages;",
    "division": "ret = 7 / ret;",
    "shift": "ret = 1 << (ret + 40);",
}


@pytest.mark.parametrize("name", FAULTS)
def test_undefined_behaviour(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Code that goes wrong proves nothing: no verdict, and the line that goes wrong."""
    path = Path("odd.c")
    path.write_text(_text(FAULTS[name]))
    code, out, err = _prove(capsys, path, claim="failure_kept")
    assert code == 3, out + err
    assert "unknown" in out
    assert "odd.c:8" in out


OPTIONS: dict[str, tuple[str, ...]] = {
    "reversed": ("--vcpus", "4..1"),
    "no vcpus": ("--vcpus", "0"),
    "negative vcpus": ("--vcpus=-1",),
    "negative vcpus apart": ("--vcpus", "-1"),
    "word": ("--vcpus", "x"),
    "half a range": ("--vcpus", "1.."),
    "too many": ("--vcpus", "99999"),
    "number with a point": ("--vcpus", "1.5"),
    "negative loads": ("--loads", "-1"),
    "loads in words": ("--loads", "two"),
    "negative flushes": ("--flushes", "-1"),
    "negative jobs": ("--jobs", "-1"),
    "unknown engine": ("--engine", "magic"),
    "unknown claim": ("--claim", "coverages"),
    "unknown stage": ("--emit", "elf"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage is code 2, whatever the file says."""
    path = Path("good.c")
    path.write_text(_text())
    code, out, err = _run(capsys, "prove", str(path), *OPTIONS[name])
    assert (code, out) == (2, "")
    assert re.search(r"error(\[FP\d{4}\])?: ", err)


CLAUSES: dict[str, tuple[str, int, str]] = {
    "missing variant": (SPEC.replace('"small.c"', '@"gone.c"'), 4, "cannot find"),
    "variant of a long name": (SPEC.replace('"small.c"', f'@"{"x" * 5000}.c"'), 4, "cannot find"),
    "no variant": (SPEC.replace('variant "small.c";', ""), 4, "spec `small` names no variant"),
    "no operations": (
        SPEC.replace("load vmx_load_mmu_pgd(vcpu, root, free);", "").replace(
            "flush hv_remote_flush_tlb_with_range(kvm, range);", ""
        ),
        4,
        "spec `small` has no operations",
    ),
    "operation unknown to a claim": (
        SPEC.replace("}\n}", "}\nclaim c { on enter @unmap() { } }\n}"),
        4,
        "`unmap` is no operation or call",
    ),
    "role of no operation in a claim": (
        SPEC.replace("}\n}", "}\nclaim c { on return @cpu(v) { } }\n}"),
        4,
        "`cpu` is no operation or call",
    ),
    "no flush for a call": (
        SPEC.replace("flush hv_remote", "thread hv_remote").replace(
            "}\n}", "}\nclaim c { any call @x; on step() { assert(true); } }\n}"
        ),
        4,
        "there is no call that `x` could be",
    ),
    "cpu without a vCPU": (
        SPEC.replace("load vmx_load_mmu_pgd(vcpu,", "@cpu vmx_load_mmu_pgd(free,"),
        4,
        "`vmx_load_mmu_pgd` runs on a CPU, so it needs a parameter with role `vcpu`",
    ),
    "thread with a vCPU of its own": (
        SPEC.replace("load vmx_load_mmu_pgd(vcpu,", "thread vmx_load_mmu_pgd(@vcpu,"),
        4,
        "`vmx_load_mmu_pgd` runs on no vCPU, so none is its own",
    ),
    "any of something else": (
        SPEC.replace("(kvm, range)", "(kvm, any @range)"),
        4,
        "`range` is no",
    ),
    "any where no vCPU is": (
        SPEC.replace("(kvm, range)", "(kvm, @any vcpu)"),
        4,
        "cannot have the role `any vcpu`",
    ),
    "role twice": (
        SPEC.replace("(vcpu, root, free)", "(vcpu, root, @root)"),
        4,
        "role `root` stands twice",
    ),
    "operation twice": (
        SPEC.replace("load vmx", "@cpu hv_remote_flush_tlb_with_range(vcpu, free);\nload vmx"),
        4,
        "operation `hv_remote_flush_tlb_with_range` stands twice",
    ),
    "call named like an operation": (
        SPEC.replace("load vmx", "thread work(kvm);\nload vmx").replace(
            "}\n}", "}\nclaim c { any call @work; on step() { assert(true); } }\n}"
        ),
        4,
        "operation or call `work` stands twice",
    ),
    "operation named like a role": (
        SPEC.replace("load vmx", "@thread flush(kvm);\nload vmx"),
        4,
        "a `thread` operation cannot be called `flush`",
    ),
    "reversed bounds": (SPEC.replace("}\n}", "}\nbounds { vcpus @4..1; }\n}"), 4, ""),
    "no vcpus": (SPEC.replace("}\n}", "}\nbounds { vcpus @0; }\n}"), 4, ""),
    "negative bound": (SPEC.replace("}\n}", "}\nbounds { loads @-1; }\n}"), 4, ""),
    "bound twice": (
        SPEC.replace("}\n}", "}\nbounds { loads 1; @loads 2; }\n}"),
        4,
        "bound `loads` stands twice",
    ),
    "unknown bound": (SPEC.replace("}\n}", "}\nbounds { @pcpus 2; }\n}"), 4, "`pcpus` is no bound"),
    "unknown claim": (
        SPEC.replace("}\n}", "}\nexpect { @coverag proved; }\n}"),
        4,
        "there is no claim `coverag` (did you mean `coverage`?)",
    ),
    "unknown verdict": (
        SPEC.replace("}\n}", "}\nexpect { coverage @shown; }\n}"),
        4,
        "`shown` is no verdict",
    ),
    "unknown role": (
        SPEC.replace("(kvm, range)", "(kvm, @rang)"),
        4,
        "`rang` is no role of a parameter (did you mean `range`?)",
    ),
    "unknown operation": (SPEC.replace("flush hv", "@flsh hv"), 4, "`flsh` is no"),
    "role does not fit": (SPEC.replace("(kvm, range)", "(@vcpu, range)"), 4, ""),
    "roles missing": (SPEC.replace("(kvm, range)", "(kvm)"), 4, ""),
    "unknown function": (
        SPEC.replace("flush hv_remote", "flush hv_remot"),
        4,
        "function `hv_remot_flush_tlb_with_range` is not defined",
    ),
    "unknown assumption": (SPEC.replace("}\n}", "}\nassume @peace;\n}"), 4, "`peace` is no"),
    "unknown event": (
        SPEC.replace(
            "}\n}", "}\nexpect { c proved; } claim c { on @explosion() { assert(1); } }\n}"
        ),
        4,
        "`explosion` is no event",
    ),
    "unknown witness": (
        SPEC.replace(
            "}\n}", "}\nexpect { c proved; } claim c { any @cat x; on end() { assert(1); } }\n}"
        ),
        4,
        "`cat` is no",
    ),
    "unknown boot field": (
        SPEC.replace("}\n}", "}\nboot { to_vmx(vcpu)->rot = 1; }\n}"),
        4,
        "`struct vcpu_vmx` has no member `rot`",
    ),
    "boot is not constant": (
        SPEC.replace("}\n}", "}\nboot { to_vmx(vcpu)->root = to_kvm_vmx(kvm)->word; }\n}"),
        4,
        "not an integer constant",
    ),
    "unknown cache field": (
        SPEC.replace("}\n}", "}\ncache when to_kvm_vmx(kvm)->wrd is to_kvm_vmx(kvm)->cached;\n}"),
        4,
        "`struct kvm_vmx` has no member `wrd`",
    ),
    "two specs": (SPEC + SPEC.replace("small", "@small", 1), 4, "spec `small` stands twice"),
    "two specs of two names": (SPEC + SPEC.replace("small", "@other", 1), 4, "holds 2 specs"),
    "no spec": ("/* nothing */\n", 4, "holds 0 specs"),
    "cut short": (SPEC[:-3], 4, "this `{` is never closed"),
    "not a spec": ("int main(void) { return 0; }\n", 4, "holds 0 specs"),
    "claim names nothing": (
        SPEC.replace(
            "}\n}", "}\nexpect { c proved; } claim c { on end() { assert(@nothing == 1); } }\n}"
        ),
        4,
        "`nothing` is not declared",
    ),
    "assert without a condition": (
        SPEC.replace("}\n}", "}\nexpect { c proved; } claim c { on end() { @assert(); } }\n}"),
        4,
        "wrong number of arguments to `assert()`: 0, not 1",
    ),
    "claim writes to the variant": (
        SPEC.replace(
            "}\n}",
            "}\nexpect { c proved; }\n"
            "claim c { on end() { to_kvm_vmx(kvm)->word = 3; assert(1); } }\n}",
        ),
        4,
        "",
    ),
}


@pytest.mark.parametrize(
    "name",
    list(CLAUSES),
)
def test_specs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A spec that asks for something else than its author meant must not pass."""
    marked, expected, said = CLAUSES[name]
    text, place = _unmarked(marked)
    (Path("small.c")).write_text(_text())
    spec = Path("bad.spec")
    spec.write_text(text)
    own = ("--claim", "c") if "claim c" in text else ()
    code, out, err = _run(capsys, "check", str(spec), *own)
    assert (code, out) == (expected, ""), out + err
    head = _flat(err)
    assert said in head
    if place is not None:
        assert head.startswith(f"{spec}:{place[0]}:{place[1]}: error[FP"), head


def test_recursion_limit_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Raising it for a deep input would let the next one crash the interpreter."""
    before = sys.getrecursionlimit()
    path = Path("bad.c")
    path.write_text(_text(HUGE["binary operators"]))
    _prove(capsys, path)
    assert sys.getrecursionlimit() == before
