"""What is fuzzed: for each grammar and format, what reads it, and texts to begin with.

A target takes bytes as a file holds them and goes as far as it can without deciding anything. It
may raise `InputError` and nothing else.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from flushproof import __version__
from flushproof.cli.commands.replay.text import render_answer, render_overview, render_step
from flushproof.features.recheck.confirm import program_of_claim
from flushproof.features.replay.itf_reader import read_itf
from flushproof.features.replay.other_file import replay_in_other_file
from flushproof.features.review.changes import from_patch
from flushproof.frontend.c.declarations import resolve_declarations
from flushproof.frontend.c.load import source_of
from flushproof.frontend.c.parser import parse_c
from flushproof.frontend.kernel.builtin_headers import builtin_headers
from flushproof.frontend.kernel.choices import Choices
from flushproof.frontend.kernel.profiles import Profile, choose_profile
from flushproof.frontend.kernel.recognise import reduce_kernel_file
from flushproof.frontend.spec.builtin import load_builtin
from flushproof.frontend.spec.parser import parse_spec
from flushproof.frontend.spec.resolve import from_spec, from_text, from_variant
from flushproof.machine.build import Machine, build_machine
from flushproof.report.diagnostics import render
from flushproof.support.diagnostics import InputError
from flushproof.support.record import replace
from flushproof.support.resources import CLAIMS, DEFAULTS, KERNEL, PRELUDE, PROFILES, SPECS
from flushproof.support.source import Source
from flushproof.verify.certificate.certificate_file import read_certificate, seal_certificate
from flushproof.verify.certificate.files_read import ReadWith, Seen
from flushproof.verify.certificate.head import Head, ProvedClaim
from flushproof.verify.certificate.proof_blocks import read_blocks
from flushproof.verify.proof_checker.check import (
    DefinedProgram,
    ProofConfirmed,
    check_claims,
    check_defined,
)
from flushproof.verify.proof_checker.solve import script_text
from flushproof.verify.proof_checker.terms import ProofObligation, Script

TESTS = Path(__file__).parent.parent
BASE = SPECS / "mismatch_flag.c"
PROVED = SPECS / "counter_first.spec"
"""What the proofs in `seeds` are about."""

LONGEST_MESSAGE = 8000


@dataclass(frozen=True, slots=True)
class Target:
    """Something that reads bytes, and the texts that changes start from."""

    read: Callable[[bytes], object]
    seeds: Callable[[], tuple[bytes, ...]]

    def accepts(self, data: bytes) -> bool:
        """Tell whether the text is accepted; else what is said about it must be fit to be read."""
        try:
            self.read(data)
        except InputError as error:
            refused = error
        else:
            return True
        text = render(refused.diagnostics, {"fuzz": _shown(data)}, 75)
        assert refused.exit_code in (2, 4)
        assert len(text) < LONGEST_MESSAGE, len(text)
        assert all(c.isprintable() or c == "\n" for c in text)
        return False


def _shown(data: bytes) -> Source:
    return Source("fuzz", data.decode(errors="replace"))


def _source(data: bytes) -> Source:
    return source_of("fuzz", data)


@cache
def _folder() -> Path:
    """Return a folder for files that must be read by name, with what specs name beside them."""
    folder = Path(tempfile.mkdtemp(prefix="flushproof-fuzz-"))
    for path in SPECS.glob("*.c"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def _all_claims(machine: Machine) -> None:
    for claim in machine.setup.claims:
        if machine.statable(claim.name):
            machine.with_claims((claim.name,))


def _variant(data: bytes) -> None:
    build_machine(from_text(_source(data), None))


def _kernel(data: bytes) -> None:
    build_machine(reduce_kernel_file(_source(data), Choices(), Path("fuzz.c")).setup)


def _spec(data: bytes) -> None:
    path = _folder() / "fuzz.spec"
    path.write_bytes(data)
    _all_claims(build_machine(from_spec(str(path))))


def _claims(data: bytes) -> None:
    """Read claims as a part of a spec file, as a user would add them."""
    source = _source(data)
    parse_spec(source, load_builtin().context)
    _spec(data + b"\n" + (SPECS / "counter_first.spec").read_bytes())


def _prelude(data: bytes) -> None:
    unit, _ = parse_c(_source(data), load_builtin().context)
    resolve_declarations((*load_builtin().units, unit))


def _profiles(data: bytes) -> None:
    found = [Profile(s) for s in parse_spec(_source(data), builtin_headers().context).specs]
    for p in found:
        assert p.state is not None
        p.functions("flush")
    choose_profile("hv_remote_flush_tlb", "vmx_set_cr3", frozenset({"tlbs_same_ept"}))


def _mail(data: bytes) -> None:
    path = _folder() / "fuzz.mbox"
    path.write_bytes(data)
    from_patch(str(path), str(BASE), None)


def _patched(data: bytes) -> None:
    """Read a mail without the check of the path, so that more of it is applied."""
    path = _folder() / "fuzz.mbox"
    path.write_bytes(data)
    for change in from_patch(str(path), str(BASE), "mismatch_flag.c"):
        assert change.after.text != change.before.text


def _trace(data: bytes) -> None:
    """Read a saved trace, and show each of its steps."""
    saved = read_itf(_source(data))
    render_overview(saved, 75)
    for number in range(min(len(saved.trace.steps), 20) + 1):
        render_step(saved, number, 75)


def _against(data: bytes) -> None:
    """Try a saved trace in a variant."""
    render_answer(
        replay_in_other_file(
            read_itf(_source(data)), str(BASE), lambda path: from_variant(path, None)
        ),
        75,
    )


def _certificate(data: bytes) -> None:
    path = _folder() / "fuzz.certificate"
    path.write_bytes(data)
    read_certificate(str(path))


def _resealed(data: bytes) -> None:
    """Read proofs under right digests, and ask about them all that there is to ask, of nobody."""
    blocks = read_blocks(_source(data), 1)
    claims = tuple(ProvedClaim(b.claim, "", (), b.facts) for b in blocks)
    head = Head(__version__, PROVED.name, "a variant", ReadWith(), claims, ())
    path = _folder() / "fuzz.certificate"
    path.write_text(seal_certificate(head, _source(data).text), encoding="utf-8")
    machine = build_machine(from_spec(str(PROVED)))
    base = machine.with_claims(())
    for block in read_certificate(str(path)).proofs:
        code = check_defined(base, block.code_proof, _all_unsat)
        program = program_of_claim(machine, block.claim, named_callers=block.claim_proof.many)
        if isinstance(code, ProofConfirmed) and program is not None:
            check_claims(program, block.claim_proof, DefinedProgram(base, code), _all_unsat)


def _all_unsat(script: Script, questions: Sequence[ProofObligation]) -> tuple[str, ...]:
    """Answer each question without a look at it, so that all are asked."""
    assert script_text(script, questions).count("(check-sat)") == len(questions)
    return ("unsat",) * len(questions)


def _of(*globs: str) -> Callable[[], tuple[bytes, ...]]:
    def seeds() -> tuple[bytes, ...]:
        return tuple(p.read_bytes() for g in globs for p in sorted(SPECS.glob(g)))

    return seeds


def _of_kernels() -> tuple[bytes, ...]:
    paths = sorted((TESTS / "kernel" / "trees").rglob("*.c"))
    return tuple(p.read_bytes() for p in paths) + _of("*.c")()


def _of_claims() -> tuple[bytes, ...]:
    own = CLAIMS.read_bytes()
    each = re.findall(rb"(?ms)^claim .*?^}\n", own)
    return own, *(b"override " + claim for claim in each)


def _of_mails() -> tuple[bytes, ...]:
    plain = _diff()
    head = b"From a Mon Sep 17 00:00:00 2001\nFrom: A <a@example.org>\n"
    body = b"Subject: [PATCH 1/2] KVM: use less\n\nNo functional change intended.\n---\n"
    quoted = b"".join(b"> " + x for x in plain.splitlines(keepends=True))
    parts = b'Content-Type: multipart/mixed; boundary="x"\n\n--x\n\n' + plain + b"\n--x--\n"
    coded = b"Content-Transfer-Encoding: quoted-printable\n\n" + plain.replace(b"=", b"=3D")
    mail = head + body + plain
    return (
        plain,
        mail,
        mail + b"-- \n2.1\n\n" + mail,
        head + b"\n" + quoted,
        head + parts,
        head + coded,
    )


def _diff() -> bytes:
    lines = BASE.read_bytes().splitlines(keepends=True)
    at = next(k for k, x in enumerate(lines) if b"return" in x)
    before = b"".join(b" " + x for x in lines[at - 3 : at])
    after = b"".join(b" " + x for x in lines[at + 1 : at + 4])
    head = b"--- a/mismatch_flag.c\n+++ b/mismatch_flag.c\n@@ -%d,7 +%d,7 @@\n" % (at - 2, at - 2)
    return head + before + b"-" + lines[at] + b"+\treturn 1;\n" + after


def _of_traces() -> tuple[bytes, ...]:
    return tuple(p.read_bytes() for p in sorted((Path(__file__).parent / "seeds").glob("*.itf")))


def _of_proofs() -> tuple[bytes, ...]:
    return tuple(p.read_bytes() for p in sorted((Path(__file__).parent / "seeds").glob("*.proof")))


def _of_certificates() -> tuple[bytes, ...]:
    made = Head(__version__, PROVED.name, "a variant", ReadWith(), (), ())
    found: list[bytes] = []
    for text in map(bytes.decode, _of_proofs()):
        blocks = read_blocks(Source("fuzz", text), 1)
        claims = tuple(ProvedClaim(b.claim, "all", ("much",), b.facts) for b in blocks)
        seen = (Seen("text", PROVED.name, "0" * 64), Seen("folder", "arch/x86/kvm", "no"))
        found.append(seal_certificate(replace(made, claims=claims, seen=seen), text).encode())
    return tuple(found)


TARGETS: dict[str, Target] = {
    "variant": Target(_variant, _of("*.c", "litmus/*.c")),
    "kernel": Target(_kernel, _of_kernels),
    "spec": Target(_spec, _of("*.spec")),
    "claims": Target(_claims, _of_claims),
    "prelude": Target(_prelude, lambda: (PRELUDE.read_bytes(), KERNEL.read_bytes())),
    "profiles": Target(_profiles, lambda: (PROFILES.read_bytes(), DEFAULTS.read_bytes())),
    "mail": Target(_mail, _of_mails),
    "patched": Target(_patched, _of_mails),
    "trace": Target(_trace, _of_traces),
    "against": Target(_against, _of_traces),
    "certificate": Target(_certificate, _of_certificates),
    "resealed": Target(_resealed, _of_proofs),
}
