"""gcc's torture tests as variants: each `main()` is a flush of which is claimed that it ends well.

In: the text of a test that is written for a whole C library. Out: the text of a variant in which
`abort()` and `exit()` are hypercalls on roots that say which. A violation is an `abort()`, an
`exit()` of anything but 0, or another result of `main()`, before anything else has ended the run.
"""

from __future__ import annotations

import re

from flushproof.support.record import Record
from flushproof.support.source import Source
from torture.fetch import folder

BEFORE = """\
struct kvm_vmx { struct kvm kvm; }; struct vcpu_vmx { struct kvm_vcpu vcpu; u64 root; };
void abort(void);
void exit(int status);
void __builtin_abort(void);
void __builtin_trap(void);
void __builtin_exit(int status);
"""

AFTER = """
void abort(void) { hyperv_flush_guest_mapping(0x1000); }
void exit(int status) { hyperv_flush_guest_mapping(status ? 0x1000 : 0x2000); }
void __builtin_abort(void) { abort(); }
void __builtin_trap(void) { abort(); }
void __builtin_exit(int status) { exit(status); }
int torture(struct kvm *kvm) { __CALL__ return 0; }
void some_load(struct kvm_vcpu *vcpu, u64 root) { to_vmx(vcpu)->root = root; }
"""

ABORTED = 0x1000
"""The root that stands for the end of a run that is no success."""

SPEC = """\
spec torture {
	variant "torture.c";
	operations { flush torture(kvm); load some_load(vcpu, root); }
	bounds { vcpus 1; loads 0; flushes 1; }

	claim ends_well "the run ends with `exit(0)` or with 0" {
		bool over;
		on hypercall(x) { assert(over || x != 0x1000); over = true; }
		headline "the run is aborted";
	}
}
"""

LIMITS = """\
#define CHAR_BIT 8
#define SCHAR_MAX 127
#define SCHAR_MIN (-SCHAR_MAX - 1)
#define UCHAR_MAX 255
#define CHAR_MAX SCHAR_MAX
#define CHAR_MIN SCHAR_MIN
#define SHRT_MAX 32767
#define SHRT_MIN (-SHRT_MAX - 1)
#define USHRT_MAX 65535
#define INT_MAX 2147483647
#define INT_MIN (-INT_MAX - 1)
#define UINT_MAX 4294967295U
#define LONG_MAX 9223372036854775807L
#define LONG_MIN (-LONG_MAX - 1L)
#define ULONG_MAX 18446744073709551615UL
#define LLONG_MAX 9223372036854775807LL
#define LLONG_MIN (-LLONG_MAX - 1LL)
#define ULLONG_MAX 18446744073709551615ULL
#define LONG_LONG_MAX LLONG_MAX
#define LONG_LONG_MIN LLONG_MIN
#define ULONG_LONG_MAX ULLONG_MAX
"""

INTEGERS = """\
typedef long intptr_t;
typedef signed char int8_t;
typedef short int16_t;
#define INT8_MAX 127
#define INT16_MAX 32767
#define INT32_MAX 2147483647
#define INT32_MIN (-INT32_MAX - 1)
#define UINT8_MAX 255
#define UINT16_MAX 65535
#define UINT32_MAX 4294967295U
#define INT64_MAX 9223372036854775807L
#define INT64_MIN (-INT64_MAX - 1L)
#define UINT64_MAX 18446744073709551615UL
"""

HEADERS = {
    "limits.h": LIMITS,
    "stdint.h": INTEGERS,
    "stdbool.h": "",
    "stddef.h": "",
    "stdlib.h": "",
    "setjmp.h": "",
    "stdarg.h": "",
    "stdio.h": "",
    "string.h": "",
}
"""What the headers that hosted programs include say beyond the prelude, as far as it is here."""

_INCLUDE = re.compile(r"^[ \t]*#[ \t]*include[ \t]*<([^>]*)>.*$", re.MULTILINE)
_REMARK = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_BEYOND = re.compile(r'["\[]|\b(?:float|double|_Complex|__complex__|_Float\w+|_Decimal\w+)\b')
_MAIN = re.compile(r"(\bvoid\s+)?\bmain\s*\(([^()]*)\)[^(){};]*\{")


class TortureVariant(Record, frozen=True):
    """A test as a variant; its first line is line `shift` + 1 of the variant."""

    variant: Source
    shift: int


def names() -> tuple[str, ...]:
    """Return the names of the tests that are written without strings, floats and arrays."""
    return tuple(sorted(p.name for p in folder().glob("*.c") if _chosen(p.name)))


def _chosen(name: str) -> bool:
    return _BEYOND.search(_REMARK.sub(" ", read(name))) is None


def read(name: str) -> str:
    """Return the text of a test."""
    return (folder() / name).read_text(encoding="latin-1")


def torture_variant(name: str, text: str) -> TortureVariant:
    """Return a text that is called `name` as a variant."""
    included = [h for h in _INCLUDE.findall(text) if h in HEADERS]
    before = "".join((BEFORE, *(HEADERS[h] for h in dict.fromkeys(included))))
    text = _INCLUDE.sub(lambda found: "" if found[1] in HEADERS else found[0], text)
    call, text = _entry(text)
    whole = "".join((before, text, AFTER.replace("__CALL__", call)))
    return TortureVariant(Source(name, whole), before.count("\n"))


def _entry(text: str) -> tuple[str, str]:
    """Return a call of `main()`, and the text with a `main()` that returns 0 at its end."""
    found = _MAIN.search(text)
    if found is None:
        return "main();", text
    given = "1, 0" if "," in found[2] else ""
    if found[1]:
        return f"main({given});", text
    end = _closed(text, found.end())
    return f"if (main({given})) abort();", f"{text[:end]} return 0; {text[end:]}"


def _closed(text: str, at: int) -> int:
    """Return where the braces are closed that are open at a place."""
    depth = 1
    for here in range(at, len(text)):
        depth += (text[here] == "{") - (text[here] == "}")
        if depth == 0:
            return here
    return len(text)
