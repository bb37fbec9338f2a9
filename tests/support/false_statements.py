"""Statements that are false: each fails with three vCPUs, or the code is undefined."""

from __future__ import annotations

from support.seeded_faults import Statement

STATEMENTS: dict[str, Statement] = {
    "write": Statement("on return flush() { assert($x == 0); }", "k->x = 1;", ""),
    "not so": Statement(
        "on enter flush() { assert($x == 0); }",
        "k->x = 1;",
        "",
        lines="invariant to_kvm_vmx(kvm)->x == 0;",
    ),
    "branch": Statement(
        "on return flush() { assert($x == 0); }",
        "if (READ_ONCE(k->y)) k->x = 1;",
        "WRITE_ONCE(k->y, 1);",
    ),
    "else": Statement(
        "on return flush() { assert($x == 0); }",
        "if (!READ_ONCE(k->y)) k->x = 1; else k->x = 0;",
        "WRITE_ONCE(k->y, 1);",
    ),
    "race": Statement(
        "on step() { assert($y == 0); }", "k->x = 1; k->x = 0;", "if (k->x) k->y = 1;"
    ),
    "sum": Statement("on return flush() { assert($x + 1 > $x); }", "", "k->x = 0x7fffffff;"),
    "byte": Statement("on return flush() { assert((u8)$x == $x); }", "", "k->x = 256;"),
    "no vCPU": Statement(
        "on return flush() { assert($x == 0); }", "to_vmx(kvm_get_vcpu(kvm, 3))->a = 1;", ""
    ),
    "hypercall": Statement(
        "on return flush() { assert($x == 0); }",
        "if (hyperv_flush_guest_mapping(4096)) k->x = 1;",
        "",
    ),
    "end": Statement("on end() { assert($x == 0); }", "k->x = 1;", ""),
    "vCPU": Statement(
        "any vcpu w; on return flush() { assert(to_vmx(w)->a == 0); }", "", "to_vmx(vcpu)->a = 1;"
    ),
    "walk": Statement(
        "any vcpu w; on return flush() { assert(to_vmx(w)->a == 0); }",
        "kvm_for_each_vcpu(i, vcpu, kvm) to_vmx(vcpu)->a = 1;",
        "",
    ),
    "apart": Statement("any vcpu v; any vcpu w; on return flush() { assert(v == w); }", "", ""),
    "same": Statement("any vcpu v; any vcpu w; on return flush() { assert(v != w); }", "", ""),
    "vCPU 0": Statement(
        "any vcpu w; on return flush() { assert($x == 0); }",
        "if (READ_ONCE(to_vmx(kvm_get_vcpu(kvm, 0))->a)) k->x = 1;",
        "WRITE_ONCE(to_vmx(vcpu)->a, 1);",
    ),
    "seen twice": Statement(
        "on return flush() { assert($x == 0); }",
        "n = to_vmx(kvm_get_vcpu(kvm, 0))->a; to_vmx(kvm_get_vcpu(kvm, 0))->a = 1; if (n "
        "!= to_vmx(kvm_get_vcpu(kvm, 0))->a) k->x = 1;",
        "",
    ),
    "trylock": Statement(
        "on return flush() { assert($x == 0); }",
        "if (spin_trylock(&k->l)) spin_unlock(&k->l); else k->x = 1;",
        "spin_lock(&k->l); WRITE_ONCE(k->y, 1); spin_unlock(&k->l);",
    ),
    "stray": Statement(
        "on step() { assert($y == 0); }",
        "spin_lock(&k->l); k->x = 1; k->x = 0; spin_unlock(&k->l);",
        "spin_unlock(&k->l); spin_lock(&k->l); if (k->x) k->y = 1; spin_unlock(&k->l);",
    ),
    "unlocked": Statement(
        "on step() { assert($y == 0); }",
        "spin_lock(&k->l); spin_unlock(&k->l); k->x = 1; k->x = 0;",
        "spin_lock(&k->l); if (k->x) k->y = 1; spin_unlock(&k->l);",
    ),
    "endless": Statement(
        "on step() { assert($y == 0); }", "k->x = 1; for (;;) { }", "if (k->x) k->y = 1;"
    ),
    "keeps": Statement(
        "on step() { assert($y == 0); }",
        "spin_lock(&k->l); k->x = 1; spin_lock(&k->l); k->x = 0;",
        "if (k->x) k->y = 1;",
    ),
    "loop": Statement(
        "on return flush() { assert($x != 2); }", "for (i = 0; i < 3; i++) k->x = i;", ""
    ),
    "last": Statement(
        "on return flush() { assert($x < 2); }", "kvm_for_each_vcpu(i, vcpu, kvm) k->x = i;", ""
    ),
    "root": Statement(
        "any vcpu w; on return flush() { assert(to_vmx(w)->pgd == 0); }",
        "",
        "to_vmx(vcpu)->pgd = root;",
    ),
    "low bits": Statement(
        "any vcpu w; on return flush() { assert((to_vmx(w)->pgd & 1) == 0); }",
        "",
        "to_vmx(vcpu)->pgd = root | 1;",
    ),
    "cmpxchg": Statement("on return flush() { assert($x == 0); }", "cmpxchg(&k->x, 0, 1);", ""),
    "negative": Statement(
        "on return flush() { assert(($x >> 1) >= 0); }", "", "WRITE_ONCE(k->x, -8);"
    ),
    "widened": Statement(
        "on return flush() { assert(((u64)$x >> 40) == 0); }", "", "WRITE_ONCE(k->x, -8);"
    ),
    "readers": Statement(
        "on step() { assert($y == 0); }",
        "read_lock(&k->rw); k->x = 1; k->x = 0; read_unlock(&k->rw);",
        "read_lock(&k->rw); if (k->x) k->y = 1; read_unlock(&k->rw);",
    ),
    "writer": Statement(
        "on return flush() { assert($x == 0); }",
        "if (write_trylock(&k->rw)) write_unlock(&k->rw); else k->x = 1;",
        "read_lock(&k->rw); WRITE_ONCE(k->y, 1); read_unlock(&k->rw);",
    ),
    "in order": Statement(
        "on return flush() { assert($x == 0); }",
        "n = READ_ONCE(k->y); if (n != READ_ONCE(k->y)) k->x = 1;",
        "WRITE_ONCE(k->y, 1);",
    ),
    "both": Statement("on return flush() { assert($x == 0); }", "k->x = !READ_ONCE(k->y);", ""),
    "late load": Statement(
        "on step() { assert($x == 0); }",
        "WRITE_ONCE(k->y, 1);",
        "n = READ_ONCE(k->y); WRITE_ONCE(to_vmx(vcpu)->a, 1); if (!n && READ_ONCE(k->y)) k->x = 1;",
    ),
    "attempt": Statement(
        "on return flush() { assert($x == 0); }",
        "if (spin_trylock(&k->l)) { k->x = 1; spin_unlock(&k->l); }",
        "",
    ),
    "chosen": Statement(
        "on return flush() { assert($x == 0); }",
        "if (READ_ONCE(k->y)) n = 1; k->x = n;",
        "WRITE_ONCE(k->y, 1);",
    ),
    "chosen not": Statement(
        "on return flush() { assert($x == 0); }",
        "n = 1; if (READ_ONCE(k->y)) n = 0; k->x = n;",
        "WRITE_ONCE(k->y, 1);",
    ),
    "conjunction": Statement(
        "bool b; on return flush() { b = ($x == 0) & ($y == 0); assert(b); }", "k->y = 1;", ""
    ),
    "masked": Statement(
        "any vcpu w; on return flush() { assert((to_vmx(w)->pgd & PAGE_MASK) == 0); }",
        "",
        "to_vmx(vcpu)->pgd = root;",
    ),
    "vCPU 0 is like w": Statement(
        "any vcpu w; on return flush() { assert(to_vmx(w)->a == to_vmx(kvm_get_vcpu(kvm, "
        "0))->a); }",
        "",
        "to_vmx(vcpu)->a = 1;",
    ),
    "race of a vCPU": Statement(
        "any vcpu w; on return load(v, r) { if (v == w) assert($y == 0); }",
        "WRITE_ONCE(k->x, 1); WRITE_ONCE(k->x, 0);",
        "if (READ_ONCE(k->x)) k->y = 1;",
    ),
    "two in one": Statement(
        "any vcpu w; bool b; on return flush() { b = true; assert($x == 0 && $y == 0); }",
        "k->y = 1;",
        "",
    ),
    "sometimes locked": Statement(
        "on step() { assert($y == 0); }",
        "if (READ_ONCE(to_vmx(kvm_get_vcpu(kvm, 0))->a)) spin_lock(&k->l); k->x = 1; "
        "k->x = 0; if (spin_is_locked(&k->l)) spin_unlock(&k->l);",
        "spin_lock(&k->l); if (k->x) k->y = 1; spin_unlock(&k->l);",
    ),
    "record early": Statement("int c; on return flush() { assert(c == 0); c = 1; }", "", ""),
    "all outside": Statement(
        "bool b; on return flush() { b = every(v, runs_on[v] == NONE); assert(b); }", "", ""
    ),
    "another flusher": Statement(
        "on return flush(ret) { assert(ret == 0); }",
        "n = READ_ONCE(k->x); WRITE_ONCE(k->x, 1); WRITE_ONCE(k->x, 0); if (n) return n;",
        many=True,
    ),
    "another flusher's flag": Statement(
        "on return flush(ret) { assert(ret == 0); }",
        "WRITE_ONCE(k->x, 1); n = !READ_ONCE(k->x); WRITE_ONCE(k->x, 0); if (n) return n;",
        many=True,
    ),
    "another flusher's lock": Statement(
        "on return flush(ret) { assert(ret == 0); }",
        "n = READ_ONCE(k->x); spin_lock(&k->l); WRITE_ONCE(k->x, 1); WRITE_ONCE(k->x, 0); "
        "spin_unlock(&k->l); if (n) return n;",
        many=True,
    ),
    "who was first": Statement(
        "int o; on enter flush() { assert(o == 0 || o == SELF); o = SELF; }", many=True
    ),
    "two flushers at once": Statement(
        "on return flush(ret) { assert(ret == 0); }",
        "WRITE_ONCE(k->x, 1); i = READ_ONCE(k->x); WRITE_ONCE(k->x, 0); if (!i) return 1;",
        many=True,
    ),
    "merged": Statement(
        "on return flush() { assert($x == 0); }",
        "u64 z = k->z, e = 0; s64 s; if (z > 5) e = z - 5; s = e; if (s < 0) k->x = 1;",
        "WRITE_ONCE(k->z, ~0ull);",
        fields="u64 z; ",
    ),
    "two with low bits": Statement(
        "on return flush() { assert($x == 0); }",
        "",
        "u64 e = root | (attr & 0xfff), old = k->z; k->z = e; if ((old & PAGE_MASK) == (e & "
        "PAGE_MASK) && (old & 0xfff) && (e & 0xfff) && old != e) k->x = 1;",
        fields="u64 z; ",
    ),
    "helper": Statement(
        "on return flush() { assert(grows($x)); }",
        "",
        "k->x = 0x7fffffff;",
        helper="static bool grows(int a) { return a + 1 > a; }",
    ),
}
