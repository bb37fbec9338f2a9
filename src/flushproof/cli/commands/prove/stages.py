"""What `prove` and `refute` show of a file in place of verdicts: a stage, its steps, its parts."""

from __future__ import annotations

from flushproof.cli.terminal import Terminal, load_sources
from flushproof.report import atomicity, recognition
from flushproof.report import json_report as json
from flushproof.report.plain import escape_unprintable
from flushproof.verify.options import Options


def show_stage(path: str, spec: str | None, stage: str, options: Options, to: Terminal) -> None:
    """Print what a stage hands to the next one."""
    from flushproof.pipeline import emit_stage

    lines = emit_stage(path, spec, stage, options).expandtabs().splitlines()
    to.raw("".join(f"{escape_unprintable(line)}\n" for line in lines))


def show_steps(path: str, spec: str | None, options: Options, form: str, to: Terminal) -> None:
    """Print which stretches of code are atomic steps, and why."""
    from flushproof.pipeline import list_atomic_steps

    steps = list_atomic_steps(path, spec, options)
    sources = load_sources((path, *atomicity.list_code_files(steps)))
    if form == "json":
        to.raw(json.dump_document(json.atomicity_document(path, sources.get(path), steps)))
    else:
        to.raw(atomicity.render(path, steps, sources, to.width))


def show_parts(path: str, spec: str | None, options: Options, form: str, to: Terminal) -> None:
    """Print what the file was taken for."""
    from flushproof.pipeline import recognise_file

    found = recognise_file(path, spec, options)
    if form == "json":
        to.raw(json.dump_document(recognition.recognition_document(found)))
    else:
        to.raw(recognition.render(found, to.width))
