"""The bugs of specs/bugs/: what each spec expects, the enumerator's word, and the page."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from flushproof.engines.explicit.enumerator import ExplicitEngine, Sizes
from flushproof.engines.outcome import NoCounterexample
from flushproof.frontend.spec.resolve import from_spec
from flushproof.machine.build import build_machine
from support.places import TOP


def _gallery() -> ModuleType:
    spec = importlib.util.spec_from_file_location("gallery", TOP / "docs" / "gallery.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GALLERY = _gallery()
BUGS: list[str] = GALLERY.names()


@pytest.mark.sample("free_early-before", "free_early-after")
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("name", BUGS)
def test_the_enumerator_agrees(name: str, when: str) -> None:
    """A bug that only the solver sees, or a fix that it alone calls whole, may be neither."""
    setup = from_spec(str(GALLERY.BUGS / f"{name}_{when}.spec"))
    (wanted,) = setup.expectations
    bounds = setup.bounds
    machine = build_machine(setup).with_claims((wanted.claim,))
    sizes = Sizes(1, bounds.loads, bounds.flushes, bounds.flushers)
    found = ExplicitEngine(machine, sizes).claim(wanted.claim, 1)
    assert isinstance(found, NoCounterexample) is (when == "after")


@pytest.mark.sample("free_early")
@pytest.mark.parametrize("name", ["free_early", "nested_zap"])
def test_the_page_shows_what_the_tool_prints(name: str) -> None:
    """A reader would see a verdict that is not the tool's; docs/gallery.py renews the page."""
    assert GALLERY.section(name) in GALLERY.PAGE.read_text(encoding="utf-8")


def test_every_bug_is_on_the_page() -> None:
    """A bug that was added would not be shown."""
    page = GALLERY.PAGE.read_text(encoding="utf-8")
    assert [name for name in BUGS if f"\n## {name}\n" not in page] == []
