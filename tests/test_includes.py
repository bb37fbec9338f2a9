"""What a variant includes is read, or refused; nothing of it is read over."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.cli import main as cli
from flushproof.results.verdict import Verdict
from flushproof.support.diagnostics import InputError
from flushproof.verify.options import Options
from support.letters import changed, mail
from support.places import SPECS
from support.two_variants import text

BASE = "dedup_all"
INVERTED = "#undef VALID_PAGE\n#define VALID_PAGE(x) ((x) == INVALID_PAGE)\n"
SPEC = SPECS / f"{BASE}.spec"
FILE = "vmx.c"


def _written(folder: Path, lines: str, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    path = folder / FILE
    path.write_text(lines + text(BASE))
    return path


def _verdict(folder: Path, lines: str, files: dict[str, str], spec: str | None = None) -> Verdict:
    path = _written(folder, lines, files)
    options = Options(vcpus=(1, 1), loads=1, flushes=1, claims=("coverage",))
    (result,) = pipeline.prove(str(path), spec, options, lambda _: None).results
    return result.verdict


def _refusal(folder: Path, lines: str, files: dict[str, str]) -> tuple[str, str, int]:
    with pytest.raises(InputError) as caught:
        _verdict(folder, lines, files, str(SPEC))
    (found,) = caught.value.diagnostics
    assert found.span is not None
    return found.title, Path(found.span.file).name, found.span.line


NEARLY = "cannot find `linux/kvm_hots.h`, which is included here (did you mean `linux/kvm_host.h`?)"
ONCE = '#pragma once\n#include "a.h"\n'
GUARDED = '#ifndef A_H\n#define A_H\n#include "a.h"\n' + INVERTED + "#endif\n"


@pytest.mark.sample(every=8)
@pytest.mark.parametrize(
    ("lines", "files", "verdict"),
    [
        ('#include "a.h"\n', {"a.h": INVERTED}, Verdict.REFUTED),
        ('#include "s/a.h"\n', {"s/a.h": '#include "b.h"\n', "s/b.h": INVERTED}, Verdict.REFUTED),
        ('#include "a.h"\n#include "a.h"\n', {"a.h": GUARDED}, Verdict.REFUTED),
        ('#include "a.h"\n', {"a.h": ONCE + INVERTED}, Verdict.REFUTED),
        ('#if 0\n#include "a.h"\n#endif\n', {"a.h": INVERTED}, Verdict.BOUNDED),
        ('#if 0\n#include "absent.h"\n#endif\n', {}, Verdict.BOUNDED),
        ('#include "a.h"\n', {"a.h": ";\n#if 0\n" + INVERTED + "#endif\n"}, Verdict.BOUNDED),
        ('#include "a.h"\n',
         {"a.h": "static inline bool VALID_PAGE(u64 x) { return x == INVALID_PAGE; }\n"},
         Verdict.REFUTED),
    ],
)  # fmt: skip
@pytest.mark.parametrize("spec", [None, str(SPEC)], ids=["bare", "spec"])
def test_a_file_beside_is_read(
    lines: str, files: dict[str, str], verdict: Verdict, spec: str | None, tmp_path: Path
) -> None:
    """A definition in an included file is part of the program."""
    assert _verdict(tmp_path, lines, files, spec) is verdict


@pytest.mark.parametrize(
    ("lines", "files", "found"),
    [
        ('\n#include "a.h"\n', {}, ("cannot find", FILE, 2)),
        ("#include <linux/strange.h>\n", {}, ("cannot find `linux/strange.h`", FILE, 1)),
        ("#include <linux/kvm_hots.h>\n", {}, (NEARLY, FILE, 1)),
        ("#include NAME\n", {}, ("`#include` wants a name", FILE, 1)),
        ('#include "../a.h"\n', {}, ("`../a.h` is not in the folder", FILE, 1)),
        ('#include "/etc/passwd"\n', {}, ("`/etc/passwd` is not in the folder", FILE, 1)),
        ('#include "a.h"\n', {"a.h": '#include "a.h"\n'}, ("files include each other", "a.h", 1)),
        ('#include "a.h"\n' * 201, {"a.h": ";\n"}, ("more than 200 files", FILE, 201)),
        ('#include "a.h"\n', {"a.h": "#if 1\n"}, ("this `#if` has no `#endif`", "a.h", 1)),
        ('#if 1\n#include "a.h"\n', {"a.h": "#endif\n"}, ("`#endif` without `#if`", "a.h", 1)),
        ('#define F(x) x\n#include "a.h"\n(1)\n', {"a.h": "F\n"}, ("`#include` stands", FILE, 2)),
        ('#include "a.h"\n', {"a.h": "typedef unsigned int u64;\n"}, ("type `u64`", "a.h", 1)),
        ('#include "a.h"\n', {"a.h": "int f(void) { return x; }\n@\n"}, ("unexpected", "a.h", 2)),
    ],
)  # fmt: skip
def test_what_is_not_read_is_refused(
    lines: str, files: dict[str, str], found: tuple[str, str, int], tmp_path: Path
) -> None:
    """What a file includes and what is not known of it is named, with its place."""
    said, file, line = _refusal(tmp_path, lines, files)
    assert said.startswith(found[0])
    assert (file, line) == found[1:]


def test_a_link_leads_nowhere_else(tmp_path: Path) -> None:
    """A file that comes from anybody does not show what lies elsewhere."""
    (tmp_path / "secret").write_text("int secret;\n")
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "a.h").symlink_to(tmp_path / "secret")
    said, _, _ = _refusal(inner, '#include "a.h"\n', {})
    assert "is not in the folder" in said


def test_headers_that_the_prelude_stands_for(tmp_path: Path) -> None:
    """What is taken for a header of the kernel is said beside the verdict."""
    path = _written(tmp_path, "#include <linux/kvm_host.h>\n#include <linux/types.h>\n", {})
    options = Options(vcpus=(1, 1), loads=1, flushes=1, claims=("coverage",))
    (result,) = pipeline.prove(str(path), str(SPEC), options, lambda _: None).results
    assert result.verdict is Verdict.BOUNDED
    said = "the prelude stands for <linux/kvm_host.h>, <linux/types.h>"
    assert said in result.assumptions


def test_a_kept_verdict_rests_on_included_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A header that has changed makes another program."""
    path = _written(tmp_path, '#include "a.h"\n', {"a.h": "\n;\n"})
    kept = ("--claim", "coverage", "--vcpus", "1", "--cache-dir", str(tmp_path / "kept"))
    assert cli.main(["prove", str(path), *kept]) == 0
    (tmp_path / "a.h").write_text(INVERTED)
    assert cli.main(["prove", str(path), *kept]) == 1
    capsys.readouterr()


@pytest.mark.slow
def test_a_header_that_a_patch_adds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a patch changes in a new header it changes in the program."""
    monkeypatch.chdir(tmp_path)
    Path(FILE).write_text(text(BASE))
    patch = changed(text(BASE), '#include "a.h"\n' + text(BASE), FILE)
    patch += changed("", INVERTED, "a.h").replace("--- a/a.h", "--- /dev/null")
    Path("patch").write_text(mail(patch))
    code = cli.main(["review", "patch", "--base", FILE, "--vcpus", "1", "--claim", "coverage"])
    out = " ".join(capsys.readouterr().out.split())
    assert "coverage bounded refuted" in out
    assert code == 1
