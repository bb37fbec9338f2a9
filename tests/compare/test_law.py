"""The comparison agrees with running both variants under every short schedule."""

from __future__ import annotations

import pytest

from flushproof.features.nfc.observer import Sight
from flushproof.results.comparison import Compared, Relation, Since
from support.two_variants import differ, found, machine, text

FLAG = text("mismatch_flag")
FIRST = text("counter_first")
LOAD = "\tkvm_vmx->hv_tlb_eptp = INVALID_PAGE;\n\tspin_unlock"
TWICE = "mismatch = false; spin_lock(&kvm_vmx->ept_pointer_lock);"
END = "\tspin_unlock(&kvm_vmx->ept_pointer_lock);\n\treturn ret;"

PAIRS = {
    "itself": (FLAG, FLAG),
    "flag turned": (FLAG, FLAG.replace("if (mismatch)", "if (!mismatch)")),
    "flag lost": (FLAG, FLAG.replace("mismatch = true", "mismatch = false")),
    "last result": (FLAG, FLAG.replace("ret |= ", "ret = ")),
    "result lost": (FLAG, FLAG.replace("return ret;", "return 0;")),
    "no invalidation": (FLAG, FLAG.replace(LOAD, "\tspin_unlock")),
    "bits left": (FLAG, FLAG.replace("hyperv_flush_guest_mapping(eptp & PAGE_MASK)",
                                     "hyperv_flush_guest_mapping(eptp)")),
    "range ignored": (FLAG, FLAG.replace("if (range)", "if (false)")),
    "lock kept": (FLAG, FLAG.replace(END, "\treturn ret;")),
    "lock taken twice": (FLAG, FLAG.replace("mismatch = false;", TWICE)),
    "both keep the lock": (FLAG.replace(END, "\treturn ret;"), FLAG.replace(END, "\treturn 0;")),
    "no skipping": (FLAG, FLAG.replace("|| eptp == kvm_vmx->hv_tlb_eptp)", ")")),
    "skipping": (FLAG.replace("|| eptp == kvm_vmx->hv_tlb_eptp)", ")"), FLAG),
    "one more call": (FIRST, FIRST.replace("if (ret && nr_roots > 1)", "if (0)")),
    "goes on": (FIRST, FIRST.replace("if (!ret)\n", "")),
    "stops": (FIRST.replace("if (!ret)\n", ""), FIRST),
    "forms": (text("counter_late"), FIRST),
    "flag and enum": (text("enum_cached"), FLAG),
    "enums": (text("enum_status"), text("enum_cached")),
    "flag and counter": (FLAG, FIRST),
    "proposal": (text("vcpu0_first"), text("dedup_all")),
}  # fmt: skip


LATE = ("flag turned", "no invalidation", "lock kept", "no skipping", "flag and enum", "enums")


@pytest.mark.sample("flag and enum-boot")
@pytest.mark.parametrize(
    ("name", "since"), [*((n, Since.BOOT) for n in PAIRS), *((n, Since.LOAD) for n in LATE)]
)
def test_sequence(name: str, since: Since) -> None:
    """A pair is called equal although some schedule tells the two apart, or the other way round.

    Guards Lemma L26 of docs/soundness.md.
    """
    old, new = (machine(code) for code in PAIRS[name])
    answer = found(old, new, Compared.SEQUENCE, since)
    expected = differ(old, new, Sight.SEQUENCE, since)
    if name == "both keep the lock" and not expected:
        assert answer.relation is Relation.UNKNOWN
        return
    assert (answer.relation in (Relation.DIFFERS, Relation.REFINES)) == expected
    assert answer.relation is not Relation.UNKNOWN


@pytest.mark.sample("both keep", "flag and enum")
@pytest.mark.parametrize("name", PAIRS)
def test_set_and_refinement(name: str) -> None:
    """Sets are called equal, or a variant a refinement, and some schedule shows otherwise.

    Guards Lemma L26 of docs/soundness.md.
    """
    old, new = (machine(code) for code in PAIRS[name])
    answer = found(old, new, Compared.SET)
    if answer.relation is Relation.UNKNOWN:
        assert name == "both keep the lock"
        return
    assert answer.relation.alike == (not differ(old, new, Sight.SET, Since.BOOT))
    if answer.relation is Relation.REFINES:
        assert not differ(old, new, Sight.SUBSET, Since.BOOT)
    elif answer.relation is Relation.DIFFERS and not answer.reason:
        assert differ(old, new, Sight.SUBSET, Since.BOOT)
