"""A file is checked again when what it rests on changes: told by steps, without any clock."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flushproof.cli import main as cli
from flushproof.cli.commands.watch import command as watch
from flushproof.cli.commands.watch.watcher import FileWatcher
from flushproof.cli.terminal import Terminal
from flushproof.support.files import current_files

Step = Callable[[Path], object]


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a file in the current folder."""
    monkeypatch.chdir(tmp_path)
    path = Path("a.c")
    path.write_text("0")
    return path


def _watched(file: Path, *steps: Step) -> list[str]:
    """Return what each check read, when between two looks these steps happen, and then Ctrl-C."""
    seen: list[str] = []
    pending: Iterator[Step] = iter(steps)

    def check(count: int) -> None:
        assert count == len(seen)
        try:
            seen.append(current_files().read(str(file), 99).decode())
        except OSError as error:
            seen.append(type(error).__name__)
        current_files().is_file("b.h")

    def wait() -> None:
        step = next(pending, None)
        if step is None:
            raise KeyboardInterrupt
        step(file)

    with pytest.raises(KeyboardInterrupt):
        FileWatcher(str(file), check, wait).run()
    return seen


def _nothing(_: Path) -> None:
    """Let time pass."""


def _save(text: str) -> Step:
    return lambda path: path.write_text(text)


def _swap(text: str) -> Step:
    """Save as careful editors do: under another name, which then takes the place."""

    def step(path: Path) -> None:
        path.with_suffix(".tmp").write_text(text)
        path.with_suffix(".tmp").replace(path)

    return step


@pytest.mark.parametrize(
    ("steps", "seen"),
    [
        ([_nothing, _nothing], ["0"]),
        ([_save("12"), _nothing, _nothing], ["0", "12"]),
        ([_nothing, _swap("1"), _nothing, _nothing], ["0", "1"]),
        ([Path.unlink, _nothing, _nothing, _save("12"), _nothing, _nothing], ["0", "12"]),
        ([Path.unlink, _nothing, _nothing, _nothing], ["0"]),
        ([Path.unlink, _save("0"), _nothing, _nothing, _nothing], ["0"]),
        ([lambda p: os.utime(p, ns=(5, 5)), _nothing, _nothing], ["0"]),
        ([_save("12"), _save("345"), _nothing, _nothing], ["0", "345"]),
        ([_save("12"), _nothing, _nothing, _save("3"), _nothing, _nothing], ["0", "12", "3"]),
        ([lambda _: Path("b.h").touch(), _nothing, _nothing], ["0", "0"]),
        ([lambda _: Path("c.h").touch(), _nothing, _nothing], ["0"]),
    ],
)
def test_what_is_checked_again(file: Path, steps: list[Step], seen: list[str]) -> None:
    """A save is missed, half a save is checked, or the screen flickers for nothing."""
    assert _watched(file, *steps) == seen


def test_a_save_while_it_is_checked(file: Path) -> None:
    """What is written during a long check must not wait for the next save."""
    seen: list[str] = []

    def check(_: int) -> None:
        seen.append(current_files().read("a.c", 9).decode())
        if len(seen) == 1:
            file.write_text("1")

    def wait() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        FileWatcher("a.c", check, wait).run()
    assert seen == ["0", "1"]


def test_the_command(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that does not parse for a moment is complained about, and checked again."""
    file.write_text("int f(\n")
    steps = iter([_save("int g(\n"), _nothing, _nothing])

    def sleep(seconds: float) -> None:
        assert seconds == watch.PAUSE
        step = next(steps, None)
        if step is None:
            raise KeyboardInterrupt
        step(file)

    monkeypatch.setattr("time.sleep", sleep)
    assert cli.main(["watch", "a.c", "--claim", "coverage"]) == 0
    shown = capsys.readouterr()
    assert shown.err.count("a.c:") == 2
    assert "\x1b" not in shown.out


def test_leaving_while_it_decides(file: Path) -> None:
    """Ctrl-C during a check leaves too."""
    arguments = cli.build_command_line().parse_args(["watch", "a.c"])
    arguments.main = lambda _: 130
    assert arguments.command.run(arguments, _terminal()) == 0


def test_no_file(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is mistyped would be waited for, for ever."""
    assert cli.main(["watch", "no/such.c"]) == 2
    assert "cannot find `no/such.c`" in capsys.readouterr().err


def test_wrong_options(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Options are those of the command that is repeated."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(["watch", "a.c", "--no-such-option"])
    assert stopped.value.code == 2
    assert "--no-such-option" in capsys.readouterr().err


def _terminal() -> Terminal:
    return Terminal(io.StringIO(), io.StringIO(), {})
