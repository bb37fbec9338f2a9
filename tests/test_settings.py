"""Settings of a project: where they are looked for, what they mean, what is refused and where."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flushproof import pipeline
from flushproof.cli import main as cli
from flushproof.cli.arguments import KEYS
from flushproof.cli.settings.layers import project_of
from flushproof.cli.settings.project import find_project_file
from flushproof.support.diagnostics import InputError
from flushproof.support.memory_model import MemoryModel
from flushproof.support.record import replace
from flushproof.verify.options import Options, Project
from support.places import SPECS

SPEC = """\
spec some {{
    variant "{variant}";
    operations {{
        flush hv_remote_flush_tlb_with_range(kvm, range);
        load vmx_load_mmu_pgd(vcpu, root, free);
    }}
    {clauses}
    expect {{ range_kept proved; }}
}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _write(folder: Path, text: str) -> None:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")


def _shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, tuple[str, str]]:
    assert cli.main(["config", "--show", "--format", "json", *arguments]) == 0
    document = json.loads(capsys.readouterr().out)
    return {s["name"]: (s["value"], s["from"]) for s in document["settings"]}


def _spec(folder: Path, clauses: str) -> None:
    variant = (SPECS / "counter_first.c").read_text(encoding="utf-8")
    (folder / "counter_first.c").write_text(variant, encoding="utf-8")
    text = SPEC.format(variant="counter_first.c", clauses=clauses)
    (folder / "some.spec").write_text(text, encoding="utf-8")


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("lodas = 1", 1, "`[tool.flushproof]` has no key `lodas` (did you mean `loads`?)"),
        ('"lo ads" = 1', 1, "has no key `lo ads`"),
        ('loads = "x"', 9, "`loads` must be a number"),
        ("loads = 1.5", 9, "`loads` must be a number"),
        ("loads = true", 9, "`loads` must be a number"),
        ("loads = [1]", 9, "`loads` must be a number"),
        ("no-cache = 1", 12, "`no-cache` must be true or false"),
        ("loads = -1", 9, "`--loads` cannot be -1"),
        ("jobs=-4", 6, "`--jobs` cannot be -4"),
        ("rounds = 0", 10, "`--rounds` cannot be 0"),
        ("max-steps = 0", 13, "`--max-steps` cannot be 0"),
        ("agree = 'me'", 9, "`agree` cannot be `me`"),
        ("vcpus = '4..1'", 9, "the range `4..1` of vCPUs is empty"),
        ("vcpus = 0", 9, "`--vcpus` cannot be 0"),
        ("engine = 'bouded'", 10, "`engine` cannot be `bouded` (did you mean `bounded`?)"),
        ("memory = 'arm'", 10, "`memory` cannot be `arm`"),
        ("executor = 'here'", 12, "there is no executor `here`"),
        ("width = 3", 9, "`width` cannot be `3`"),
        ("color = 'pink'", 9, "`color` cannot be `pink`"),
        ("x == 1", 4, "not accepted as TOML: invalid value"),
    ],
)
def test_what_is_refused(
    folder: Path, line: str, column: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A setting that is mistyped must not be passed over: the scope would be another one."""
    _write(folder, f"[project]\nname = 'x'\n\n[tool.flushproof] # loads = 3\n{line}  # loads\n")
    assert cli.main(["prove", "a.c", "--width", "200"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"pyproject.toml:5:{column}: error[FP")
    assert message in error.splitlines()[0] + " " + " ".join(error.splitlines()[1].split())
    assert error.count("\n") > 2


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("tool.flushproof.lods = 1\n", 1, 17),
        ("[tool]\nflushproof = { loads = 1, lods = 2 }\n", 2, 27),
        ("[tool.flushproof]\ncolor = 'auto'\nlods = 1\n", 3, 1),
        ("[tool.other]\nlods = '''\nlods = 1'''\n[tool.'flushproof']\n'lods' = 2\n", 5, 1),
        ("[tool]\nflushproof = 3\n", 2, 1),
        ("[[tool.flushproof]]\nloads = 1\n", 1, 8),
    ],
)
def test_places(folder: Path, text: str, line: int, column: int) -> None:
    """However the table is written, the caret stands where the mistake is."""
    _write(folder, text)
    with pytest.raises(InputError) as refused:
        find_project_file(folder)
    (found,) = refused.value.diagnostics
    assert found.span is not None
    assert (found.span.line, found.span.column) == (line, column)


def test_each_key_once() -> None:
    """If this fails, an option has two entries, and one of them is never asked."""
    names = [k.name for k in KEYS]
    assert len(set(names)) == len(names)


def test_layers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A spec knows better than the project, and who types knows best; each is named."""
    _write(
        folder, '[tool.flushproof]\nvcpus = "2..3"\nloads = 1\nflushes = 1\nengine = "bounded"\n'
    )
    _spec(folder, "bounds { loads 2; flushes 2; }")
    shown = _shown(capsys, "some.spec", "--flushes", "3")
    assert shown["vcpus"] == ("2..3", "pyproject.toml:2")
    assert shown["loads"] == ("2", "some.spec:7")
    assert shown["flushes"] == ("3", "command line")
    assert shown["engine"] == ("bounded", "pyproject.toml:5")
    assert shown["memory"] == ("sc", "default")
    assert shown.keys() >= {k.name for k in KEYS}


def test_layers_reach_the_verdict(folder: Path) -> None:
    """What `config` shows must be what is decided."""
    _write(folder, '[tool.flushproof]\nvcpus = "1..1"\nloads = 1\nmemory = "tso"\n')
    _spec(folder, "bounds { loads 0; flushes 1; }")
    options = Options(project=project_of(find_project_file(folder)))
    assert options.project == Project(vcpus=(1, 1), loads=1, memory=MemoryModel.TSO)
    scope = pipeline.check("some.spec", None, options, lambda _: None).results[0].scope
    assert (scope.vcpus, scope.loads, scope.flushes) == ((1, 1), 0, 1)
    assert scope.memory is MemoryModel.TSO
    typed = replace(options, loads=1, memory=MemoryModel.SC)
    scope = pipeline.check("some.spec", None, typed, lambda _: None).results[0].scope
    assert (scope.loads, scope.memory) == (1, MemoryModel.SC)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("mutate", ["mutate", "a.c"]),
        ("reproduce", ["reproduce", "a.c", "--claim", "coverage"]),
        ("nfc", ["nfc", "a.c", "b.c"]),
        ("review", ["review", "a.patch", "--base", "a.c"]),
    ],
)
def test_every_command_minds_the_settings(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, arguments: list[str]
) -> None:
    """A command that reads its options by itself forgets those of the project."""
    seen: list[object] = []

    def stop(*asked: object, **_: object) -> None:
        seen.extend(asked)
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, name, stop)
    _write(folder, "[tool.flushproof]\nloads = 7\n")
    assert cli.main(arguments) == 130
    (options,) = (x for x in seen if isinstance(x, Options))
    assert options.project == Project(loads=7)


def test_the_nearest_file_counts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is looked for upwards; one without our table is passed over; so is a broken one."""
    _write(folder, "[tool.flushproof]\nloads = 7\n")
    for name, text in (("a", "[tool.other]\n"), ("b", "x = = 1\n"), ("c", "[tool]\n")):
        (folder / name).mkdir()
        _write(folder / name, text)
        found = find_project_file(folder / name)
        assert found is not None
        assert found.source.name == "../pyproject.toml"
    _write(folder / "a", "[tool.flushproof]\n")
    assert find_project_file(folder / "a") is not None
    assert not find_project_file(folder / "a").settings  # type: ignore[union-attr]
    (folder / "far").mkdir()
    _spec(folder / "far", "bounds { vcpus 1..2; }")
    _write(folder / "far", "[tool.flushproof]\nloads = 9\n")
    assert _shown(capsys, "far/some.spec")["loads"] == ("7", "pyproject.toml:2")


def test_text(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """People read it as a table."""
    _write(folder, "[tool.flushproof]\nloads = 7\nno-cache = true\n")
    assert cli.main(["config"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "loads       7           pyproject.toml:2" in lines
    assert "no-cache    true        pyproject.toml:3" in lines
    assert "vcpus       1..4        default" in lines
