"""C means in the interpreter what it means to gcc: one table of pieces, run both ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.small_c import Piece, compiled, have_gcc, interpret, piece_machine

HIGH = (1 << 31) - 1
VALUES = (0, 1, 2, 3, 7, -1, -2, 40, 255, 256, -32769, 70000, HIGH, -HIGH - 1)
INPUTS = tuple((a, b) for a in VALUES for b in VALUES)

PIECES: dict[str, Piece] = {
    # Steps and compound assignment
    "pre_increment_compared": Piece("int x = a & 1; if (++x == 1) return 10 + x; return x;"),
    "post_increment": Piece("int x = a; int y = x++; return y ^ (x << 1);"),
    "post_decrement_in_condition": Piece(
        "int x = a & 3, n = 0; while (x--) n += 10; return n + x;"
    ),
    "step_of_a_byte": Piece("u8 x = a; u8 y = x++; u8 z = ++x; return x * 65536 + y * 256 + z;"),
    "step_of_a_bool": Piece("bool x = a; x++; return x;"),
    "step_of_a_field": Piece(
        "to_kvm_vmx(kvm)->byte = a; to_kvm_vmx(kvm)->byte++;\n"
        "return to_kvm_vmx(kvm)->byte-- * 1000 + to_kvm_vmx(kvm)->byte;"
    ),
    "or_assign": Piece("int r = 0; r |= a; r |= b & 0xf0; return r;"),
    "compound_of_narrow": Piece("u8 x = a; x += b; x <<= 1; x ^= 0x155; return x;"),
    "compound_mixes_types": Piece("int x = a; x += (u64)b; x -= 3u; x *= (s16)b; return x;"),
    "compound_shift": Piece("u32 x = a; x >>= 3; x <<= b & 7; return x;"),
    "compound_division": Piece("int x = a; x /= (b & 7) + 1; x %= 5; return x;"),
    "assignment_is_a_value": Piece("int x, y; x = y = a; return x + y;"),
    "assignment_value_is_converted": Piece("u8 x; int y = (x = a); return y;"),
    "chained_through_narrow": Piece("int x; u8 y; x = y = a; return x;"),
    "or_assign_of_bool": Piece("bool x = false; x |= a; return x;"),
    "assign_in_condition": Piece("int r; if ((r = a & b)) return r; return -7;"),
    # What gcc has by itself
    "expect_is_long": Piece("return __builtin_expect(a, b++) + b + (__builtin_expect(a, 1) < 1u);"),
    "constant_p": Piece(
        "return __builtin_constant_p(3) * 2 + (__builtin_constant_p(a++) < 2) + a;"
    ),
    "absolute": Piece("return __builtin_abs(a) - (int)(__builtin_llabs((s64)a * b) >> 3);"),
    "swapped_bytes": Piece(
        "return __builtin_bswap32(a) ^ __builtin_bswap16(b) << 7 ^\n"
        "	(int)(__builtin_bswap64((u64)a << 13 | (u32)b) >> 11);"
    ),
    "bits_counted": Piece(
        "return __builtin_popcount(a) + 100 * __builtin_popcountll((s64)b) +\n"
        "	10000 * __builtin_parity(a) + __builtin_parityll((u64)b << 20);"
    ),
    "first_and_last_bit": Piece(
        "if (!a) return __builtin_ffs(b) * 3 + __builtin_ffsll((u64)b << 33);\n"
        "return __builtin_clz(a) + 100 * __builtin_ctz(a) + 10000 * __builtin_ffs(a) +\n"
        "	__builtin_clzll((u64)(u32)a) * 3 + __builtin_ctzll((u64)a << 9) * 17;"
    ),
    "sizes_and_limits": Piece(
        "__SIZE_TYPE__ n = a; __INT64_TYPE__ m = b; __UINT8_TYPE__ k = a;\n"
        "return (n < m) + k + __CHAR_BIT__ + (__INT_MAX__ < a) + (__LONG_MAX__ >> 40) +\n"
        "	__SIZEOF_LONG__ * __SIZEOF_INT__;"
    ),
    # Conditions
    "conditional": Piece("return a ? b : 42;"),
    "gnu_conditional": Piece("return a ?: b;"),
    "gnu_conditional_once": Piece("int x = a & 1; int y = x++ ?: 20; return y * 10 + x;"),
    "conditional_nested": Piece("return a < 0 ? b < 0 ? 1 : 2 : b < 0 ? 3 : 4;"),
    "conditional_common_type": Piece("return (a ? -1 : 1u) > 0;"),
    "conditional_promotes": Piece("return (a & 1 ? (u8)a : (s8)b) < 0;"),
    "conditional_wide": Piece("return ((a & 1) ? (s64)a : (u32)b) < 0;"),
    "and_stops": Piece("int n = 0; int r = a && (n = 5, b); return r * 100 + n;"),
    "or_stops": Piece("int n = 0; int r = a || n++ || (n += b & 7); return r * 100 + n;"),
    "and_or_mixed": Piece(
        "int n = 1; if ((a & 1 && ++n > 2) || (b & 1 && n++)) n += 10; return n;"
    ),
    "not_of_and": Piece("int n = 0; if (!(a && n++ == 0)) n += 5; return n;"),
    "double_not": Piece("return !!a + !b + !!(a & b);"),
    "logical_is_int": Piece("return ((a && b) - 1 < 0) + ~(a || b);"),
    "comparison_is_int": Piece("return -(a < b) + ((a == b) << 4) + (a > b) * 3;"),
    "comma": Piece("int x = (a, b); return (x++, x += 2, x * 2);"),
    # Loops
    "while_counts": Piece("int n = 0, i = a & 7; while (i > 0) { n += i; i--; } return n;"),
    "do_while_once": Piece("int n = 0; do n++; while (n < (a & 3)); return n;"),
    "do_while_continue": Piece(
        "int n = 0, m = 0; do { n++; if (n & 1) continue; m += n; } while (n < (a & 7)); return m;"
    ),
    "for_declares": Piece("int n = 0; for (int i = 0; i < (a & 7); i++) n = n * 3 + i; return n;"),
    "for_two_steps": Piece(
        "int n = 0, i, j; for (i = 0, j = b & 7; i < j; i++, j--) n++; return n * 100 + i * 10 + j;"
    ),
    "for_without_parts": Piece("int i = 0; for (;;) { if (i >= (a & 3)) break; i++; } return i;"),
    "for_continue_steps": Piece(
        "int n = 0; for (int i = 0; i < 6; i++) { if (i == (a & 3)) continue; n += i; } return n;"
    ),
    "nested_break": Piece(
        "int n = 0;\n"
        "for (int i = 0; i < 4; i++) {\n"
        "	for (int j = 0; j < 4; j++) {\n"
        "		if (j == (a & 3)) break;\n"
        "		if ((i ^ j) == (b & 3)) continue;\n"
        "		n += i * 10 + j;\n"
        "	}\n"
        "	if (n > 60) break;\n"
        "}\n"
        "return n;"
    ),
    "loop_local_is_fresh": Piece(
        "int n = 0; for (int i = 0; i < 3; i++) { int x = i; x += n; n = x; } return n;"
    ),
    "unsigned_countdown": Piece("u8 i = 3, n = 0; while (i-- > 0) n += i; return n * 1000 + i;"),
    # Switch
    "switch_falls_through": Piece(
        "int n = 0;\n"
        "switch (a) {\n"
        "case 0: n += 1;\n"
        "case 1: n += 10; break;\n"
        "case -1: n += 100;\n"
        "default: n += 1000;\n"
        "case 2: n += 10000;\n"
        "}\n"
        "return n;"
    ),
    "switch_default_first": Piece(
        "switch (a & 3) { default: return 1; case 1: case 2: return b; case 7: return 3; }\n"
        "return -1;"
    ),
    "switch_without_default": Piece("int n = 5; switch (a) { case 3: n = b; } return n;"),
    "switch_in_loop": Piece(
        "int n = 0;\n"
        "for (int i = 0; i < 5; i++) {\n"
        "	switch (i + (a & 1)) {\n"
        "	case 1: continue;\n"
        "	case 2: n += 7; break;\n"
        "	case 4: n *= 2;\n"
        "	}\n"
        "	n++;\n"
        "}\n"
        "return n;"
    ),
    "switch_nested": Piece(
        "switch (a & 1) { case 0: switch (b & 1) { case 0: return 1; case 1: break; } return 2; }\n"
        "return 3;"
    ),
    "switch_on_enum": Piece(
        "enum status s = a & 1 ? ON : LATER;\n"
        "switch (s) { case OFF: return 0; case ON: return 1; case LATER: return 2; }\n"
        "return 3;"
    ),
    "switch_on_byte": Piece("switch ((u8)a) { case 255: return 1; case 0: return 2; } return 3;"),
    "switch_unsigned_minus_one": Piece("switch ((u32)a) { case -1: return 1; } return 0;"),
    "switch_case_wraps": Piece(
        "switch (a) { case 0x80000000: return 1; case 0xffffffff: return 2; } return 0;"
    ),
    "switch_case_in_a_loop": Piece(
        "int n = 0, i = a & 3; switch (i) { case 0: do { n += 1;\n"
        "case 1: n += 10; case 2: n += 100;\n"
        "} while (--i > 0); } return n;"
    ),
    "switch_wide_case": Piece(
        "switch ((u64)a << 32) { case 0x100000000: return 1; case 0: return 2; } return 3;"
    ),
    # Jumps
    "goto_forward": Piece("int n = 1; if (a & 1) goto out; n = 2; out: return n + (b & 1);"),
    "goto_backward": Piece("int n = 0; again: n++; if (n < (a & 7)) goto again; return n;"),
    "goto_out_of_loops": Piece(
        "int i, j; for (i = 0; i < 4; i++) for (j = 0; j < 4; j++)\n"
        "	if (i * j == (a & 7)) goto out;\n"
        "out: return i * 10 + j;"
    ),
    "goto_into_loop": Piece(
        "int i = a & 3, n = 0; if (b & 1) goto in; for (i = 0; i < 4; i++) { n += 10; in: n++; }\n"
        "return n;"
    ),
    "goto_error_ladder": Piece(
        "int r = -5; if (a & 1) goto one; if (a & 2) goto two; return 0;\n"
        "two: r -= 10;\n"
        "one: r -= 100; return r;"
    ),
    # Calls
    "early_return_inside_expression": Piece(
        "return 1000 + pick(a) * 10 + pick(b);",
        "static int pick(int x) { if (x < 0) return 1; for (int i = 0; i < 9; i++)\n"
        "	if (i == x) return i; return 9; }",
    ),
    "arguments_are_copies": Piece(
        "int x = a & 7; int r = bump(x); return r * 100 + x;",
        "static int bump(int x) { x++; x++; return x; }",
    ),
    "argument_is_converted": Piece(
        "return low(a) + high(b);",
        "static int low(u8 x) { return x; } static int high(s8 x) { return x; }",
    ),
    "result_is_converted": Piece(
        "return low(a) * 2 + truth(b);",
        "static u8 low(int x) { return x; } static bool truth(int x) { return x; }",
    ),
    "argument_read_before_callee_writes": Piece(
        "to_kvm_vmx(kvm)->word = a; return set(kvm, to_kvm_vmx(kvm)->word);",
        "static int set(struct kvm *kvm, int old) { to_kvm_vmx(kvm)->word = 5; return old; }",
    ),
    "local_passed_then_changed": Piece(
        "int x = a; return keep(x, b & 7);",
        "static int keep(int x, int y) { int z = x; x = y; return z - x; }",
    ),
    "helper_called_twice": Piece(
        "return twice(a & 7) + twice(b & 7);",
        "static int once(int x) { int n = 0; while (x > 0) { n += x; x -= 2; } return n; }\n"
        "static int twice(int x) { return once(x) * 10 + once(x + 1); }",
    ),
    "void_helper": Piece(
        "note(kvm, a); note(kvm, b); return to_kvm_vmx(kvm)->word;",
        "static void note(struct kvm *kvm, int x)\n"
        "{ if (x < 0) return; to_kvm_vmx(kvm)->word += x & 7; }",
    ),
    "call_in_condition": Piece(
        "if (odd(a) && !odd(b)) return 1; return odd(a) ? 2 : 3;",
        "static bool odd(int x) { return x & 1; }",
    ),
    # Conversions and arithmetic
    "casts_wrap": Piece("return (u8)a + (s8)b * 1000 + (u16)a;"),
    "cast_sign_extends": Piece("return (s64)(s8)a < 0 ? (int)((s64)(s16)b >> 4) : (int)(u16)b;"),
    "unsigned_wrap": Piece("u32 x = a; return x - 1 > x;"),
    "signed_wrap": Piece("return a + b < a;"),
    "signed_unsigned_compared": Piece("return (a < 1u) * 2 + (b > (u32)a);"),
    "narrow_compared": Piece("return ((u8)a < (s8)b) + ((u16)a == (s16)a) * 2;"),
    "wide_against_int": Piece("return ((s64)a < (u32)b) + ((u64)a > (u64)b) * 2;"),
    "promotion_of_not": Piece("u8 x = a; return ~x < 0;"),
    "promotion_of_minus": Piece("u8 x = a; u32 y = b; return (-x < 0) + (-y > 0) * 2;"),
    "promotion_of_shift": Piece("u8 x = a; return (x << 8) >> 4;"),
    "arithmetic_shift": Piece("return a >> (b & 15);"),
    "logical_shift": Piece("return (u32)a >> (b & 15);"),
    "shift_keeps_left_type": Piece("return (1 << (u64)(b & 15)) - 2 < 0;"),
    "wide_shift": Piece("return (int)((1ULL << (b & 63)) >> 20);"),
    "division_truncates": Piece("return a / 7 * 100 + a % 7;"),
    "unsigned_division": Piece("return (u32)a / 7 + (u32)a % 7;"),
    "bool_conversion": Piece("bool x = a & 0x100; return x + (bool)0x200 + (bool)(u8)a;"),
    "bool_field": Piece("to_kvm_vmx(kvm)->flag = a; return to_kvm_vmx(kvm)->flag == true;"),
    "literal_types": Piece("return (a < 0x80000000) + (a < 2147483648) * 2 + (-1 < 0u) * 4;"),
    "octal_and_char": Piece("return 017 + 'A' + '\\n' + 0x1f + a;"),
    "unary_plus": Piece("u8 x = a; return +x - 1 < 0;"),
    "truncating_field": Piece("to_kvm_vmx(kvm)->half = a; return to_kvm_vmx(kvm)->half;"),
    "page_masks": Piece(
        "u64 x = (u64)a << 8; return (int)(x & ~(u64)0xfff) + (int)((x | 0x1e) & 0xfff);"
    ),
    # Enumerations and macros
    "enum_constants": Piece("return OFF + ON * 10 + LATER * 100;"),
    "enum_local": Piece("return RED * a + BLUE + GREEN;", "enum { RED = -2, GREEN, BLUE };"),
    "enum_field": Piece(
        "to_kvm_vmx(kvm)->status = a & 1 ? ON : OFF; return to_kvm_vmx(kvm)->status * 2 + LATER;"
    ),
    "enum_is_unsigned": Piece("enum status s = a; return s < 0;"),
    "enum_large": Piece("return (LARGE > 0) + (LARGE == -1) * 2;", "enum { LARGE = 0xffffffff };"),
    "enum_huge": Piece("return HUGE >> 36;", "enum { HUGE = 1ULL << 40 };"),
    "enum_refers_back": Piece("return Q * a;", "enum { P = 3, Q = P * 2 + 1 };"),
    "macro_with_arguments": Piece(
        "return MAX(a, b) - TWICE(a & 7 + 1);",
        "#define MAX(x, y) ((x) > (y) ? (x) : (y))\n#define TWICE(x) x + x",
    ),
    "macro_evaluates_twice": Piece(
        "int x = a & 7; int y = SQUARE(x); x++; return SQUARE(x) + y;",
        "#define SQUARE(x) ((x) * (x))",
    ),
    "macro_statement": Piece(
        "int x = a; if (b & 1) SWAP(x, b); else x++; return x ^ b;",
        "#define SWAP(x, y) do { int t = x; x = y; y = t; } while (0)",
    ),
    "macro_pastes": Piece(
        "int var1 = a, var2 = b; return VAR(1) - VAR(2);", "#define VAR(n) var##n"
    ),
    "statement_expression": Piece("int x = ({ int y = a & 7; y += 2; y * 2; }); return x + b;"),
    "statement_expression_scope": Piece(
        "int x = a; int z = ({ int x = b; x++; x; }); return x - z;"
    ),
    "statement_expression_loops": Piece(
        "return ({ int n = 0; for (int i = 0; i < (a & 7); i++) n += i; n; }) + 1;"
    ),
    "min_macro": Piece(
        "return MIN(a++, b) + a;",
        "#define MIN(x, y) ({ int _x = (x); int _y = (y); _x < _y ? _x : _y; })",
    ),
    # Scopes and declarations
    "several_declarators": Piece("int x = a, y = x + 1, z, *p = &x; z = y; *p += 2; return x + z;"),
    "shadowing": Piece("int x = a; { int x = b; x++; { int x = 3; x++; } } return x;"),
    "shadowing_in_for": Piece("int i = a; for (int i = 0; i < 2; i++) b++; return i - b;"),
    "in_scope_of_its_own_value": Piece(
        "int x = a; { u8 x = (x = 7) + b; a = x; }\n"
        "{ int y = x, x = y + 1; b ^= x; }\n"
        "return x * a + b;"
    ),
    "pointer_in_scope_of_its_own_value": Piece(
        "struct pair p = { a, b }, r = { b, a }, *q = &r;\n"
        "{ struct pair *q = (q = &p, q); q->x++; }\n"
        "return p.x * 7 + q->x;"
    ),
    "shadowed_parameter": Piece("{ int a = b; b = a + 1; } return a - b;"),
    "type_words_in_any_order": Piece("unsigned long x = a; long unsigned y = b; return x > y;"),
    "empty_statements": Piece(";;; if (a) ; else b++; {} return b;"),
    "const_and_volatile": Piece("const int x = a; volatile int y = x; y++; return y;"),
    # Structs and pointers
    "struct_initialiser": Piece("struct pair p = { a, b }; return p.x - p.y;"),
    "struct_designated": Piece("struct pair p = { .y = a, .x = b }; return p.x * 2 + p.y;"),
    "struct_rest_is_zero": Piece("struct pair p = { .x = a }; return p.x + p.y;"),
    "struct_copy": Piece(
        "struct pair p = { a, b }, q; q = p; p.x = 9; q.y++; return q.x + q.y * 3 + p.y;"
    ),
    "struct_nested": Piece(
        "struct outer o = { .in = { .x = a, .y = b }, .z = 5 };\n"
        "struct pair p = o.in; p.x++; return o.in.x + p.x * 2 + o.in.y + (int)o.z;"
    ),
    "struct_nested_plain": Piece(
        "struct outer o; o.in.x = a; o.in.y = b; o.z = a;\n"
        "struct outer q = o; q.in.x++; return q.in.x - o.in.x + q.in.y + (int)q.z;"
    ),
    "struct_copied_to_field": Piece(
        "struct pair p = { a, b }; to_kvm_vmx(kvm)->pair = p; p.x = 0;\n"
        "struct pair q = to_kvm_vmx(kvm)->pair; return q.x + q.y;"
    ),
    "struct_by_value": Piece(
        "struct pair p = { a, b }; int r = spoil(p); return r * 2 + p.x;",
        "static int spoil(struct pair p) { p.x += 1; return p.x + p.y; }",
    ),
    "struct_returned": Piece(
        "struct pair p = make(a, b); return p.x * 3 + p.y;",
        "static struct pair make(int x, int y) { struct pair p = { x, y }; return p; }",
    ),
    "pointer_to_local": Piece("int x = a; int *p = &x; *p += b; (*p)++; return x + *p;"),
    "pointer_to_byte": Piece("u8 x = a; u8 *p = &x; *p += b; return x;"),
    "pointer_passed_down": Piece(
        "int x = a, y = b; turn(&x, &y); return x - y * 2;",
        "static void turn(int *p, int *q) { int t = *p; *p = *q; *q = t; }",
    ),
    "pointer_passed_twice": Piece(
        "int x = 0; outer(&x, a); outer(&x, b); return x;",
        "static void inner(int *p, int v) { *p = *p * 3 + v; }\n"
        "static void outer(int *p, int v) { inner(p, v); inner(p, 1); }",
    ),
    "pointer_to_field": Piece(
        "int *p = &to_kvm_vmx(kvm)->word; *p = a; set(&to_kvm_vmx(kvm)->word, b);\n"
        "return *p + to_kvm_vmx(kvm)->word;",
        "static void set(int *p, int v) { *p ^= v; }",
    ),
    "pointer_to_struct": Piece(
        "struct pair p = { a, 1 }; struct pair *q = &p; q->x++; fill(q, b); return p.x + p.y;",
        "static void fill(struct pair *p, int v) { p->y = v; (*p).x--; }",
    ),
    "pointer_to_member": Piece("struct pair p = { a, 1 }; int *q = &p.x; *q += b; return p.x;"),
    "pointer_null_test": Piece(
        "int x = 1; return get(a & 1 ? &x : NULL, b);",
        "static int get(int *p, int other) { if (!p) return other; return *p; }",
    ),
    "pointer_in_conditional": Piece(
        "int x = a; int *p = b & 1 ? &x : NULL; if (p) *p = 77; return p ? *p : x;"
    ),
    "address_of_element": Piece("int x = a; return *&x + *&*&x;"),
    # The machine's own structs
    "container_of": Piece(
        "struct kvm_vmx *vmx = container_of(kvm, struct kvm_vmx, kvm); vmx->word = a;\n"
        "return to_kvm_vmx(&vmx->kvm)->word + b;"
    ),
    "vcpu_to_kvm": Piece(
        "struct kvm_vcpu *v = kvm_get_vcpu(kvm, a & 1); to_kvm_vmx(v->kvm)->word = b;\n"
        "return to_kvm_vmx(kvm)->word;"
    ),
    "null_for_a_struct": Piece(
        "struct pair q = { b, 3 }; return get(NULL, a) * 10 + get(&q, a);",
        "static int get(struct pair *p, int v) { if (p) return p->x + p->y; return v; }",
    ),
    "vcpu_null": Piece("return !kvm_get_vcpu(kvm, a) * 2 + (kvm_get_vcpu(kvm, b) == NULL);"),
    "vcpu_fields": Piece(
        "struct kvm_vcpu *v = kvm_get_vcpu(kvm, a & 1), *w = kvm_get_vcpu(kvm, 1);\n"
        "to_vmx(v)->tag = b; to_vmx(w)->tag += 2;\n"
        "return to_vmx(v)->tag + v->vcpu_id * 10 + (v == w) * 100;"
    ),
    "vcpu_in_conditional": Piece(
        "struct kvm_vcpu *v = kvm_get_vcpu(kvm, a) ?: kvm_get_vcpu(kvm, b & 1);\nreturn v->vcpu_id;"
    ),
    "vcpu_returned": Piece(
        "struct kvm_vcpu *v = find(kvm, a); return v ? v->vcpu_id + 10 : -1;",
        "static struct kvm_vcpu *find(struct kvm *kvm, int id)\n"
        "{ struct kvm_vcpu *v; int i; kvm_for_each_vcpu(i, v, kvm)\n"
        "	if (v->vcpu_id == id) return v;\n"
        "return NULL; }",
    ),
    "for_each_vcpu": Piece(
        "struct kvm_vcpu *v; int i, n = 0;\n"
        "kvm_for_each_vcpu(i, v, kvm) { if (i == (a & 3)) continue; if (i == (b & 3)) break;\n"
        "	to_vmx(v)->tag = ++n; }\n"
        "return n * 100 + i * 10 + to_vmx(kvm_get_vcpu(kvm, 1))->tag;"
    ),
    "for_each_vcpu_after": Piece(
        "struct kvm_vcpu *v; int i; kvm_for_each_vcpu(i, v, kvm) ;\nreturn i * 10 + v->vcpu_id;"
    ),
    "nested_struct_of_vcpu": Piece(
        "to_vmx(kvm_get_vcpu(kvm, a & 1))->own.x = b;\n"
        "return to_vmx(kvm_get_vcpu(kvm, 0))->own.x * 2 + to_vmx(kvm_get_vcpu(kvm, 1))->own.x;"
    ),
    "marked_accesses": Piece(
        "WRITE_ONCE(to_kvm_vmx(kvm)->byte, a); int x = READ_ONCE(to_kvm_vmx(kvm)->byte);\n"
        "WRITE_ONCE(to_kvm_vmx(kvm)->wide, (s64)b); return x + (int)to_kvm_vmx(kvm)->wide;"
    ),
    "marked_local": Piece("u8 x = 0; WRITE_ONCE(x, a); return READ_ONCE(x) + 1;"),
    "file_variable": Piece(
        "total += a; total -= b; int sum = total; total = 7; return sum;", "static int total = 7;"
    ),
    "file_struct": Piece(
        "state.x += a; state.y += b; int sum = state.x + state.y * 3; state.x = 7; state.y = 1;\n"
        "return sum;",
        "static struct pair state = { .x = 7, .y = 1 };",
    ),
    "shift_count_is_not_cut": Piece("return 1 << (0x100000000 >> (a & 1 ? 32 : 30));"),
    "case_after_declaration": Piece(
        "switch (a & 1) { int x; case 0: x = b; return x; case 1: x = 3; return x + 1; } return 0;"
    ),
    "goto_over_declaration": Piece(
        "if (a & 1) goto on; int x = 5; b += x; on: x = 7; return x + b;"
    ),
    "return_in_switch_in_loop": Piece(
        "for (int i = 0; ; i++) { switch (i) { case 3: return i + b; default: break; } }"
    ),
    "condition_with_side_effect_in_for": Piece(
        "int n = 0; for (int i = a & 7; i-- > 0 && n++ < 3; ) n += 10; return n;"
    ),
    "assign_in_arguments": Piece(
        "int x = 0; int r = pack(x = a & 7, b & 7); return r + x;",
        "static int pack(int x, int y) { return x * 10 + y; }",
    ),
    "callee_changes_callers_local": Piece(
        "int x = a & 7; int r = change(&x) * 100; return r + x;",
        "static int change(int *p) { int old = *p; *p = 3; return old + *p; }",
    ),
    "old_value_survives_call": Piece(
        "to_kvm_vmx(kvm)->word = a & 7; int x = to_kvm_vmx(kvm)->word; clear(kvm);\n"
        "return x * 10 + to_kvm_vmx(kvm)->word;",
        "static void clear(struct kvm *kvm) { to_kvm_vmx(kvm)->word = 9; }",
    ),
    "while_with_comma": Piece("int n = 0, i = a & 7; while (n++, i-- > 0) n++; return n;"),
    "bool_of_wide": Piece("bool x = (u64)a << 32; u8 y = (u64)a << 8; return x * 10 + y;"),
    "bool_compound": Piece("bool x = a & 1; x += b; x &= 3; x ^= 1; return x;"),
    "bitwise_of_bools": Piece("return ((a < b) | (a == 3)) + ((a > 0) ^ (b > 0)) * 2 + ~(a < 0);"),
    "minus_unsigned": Piece("u32 x = a; return -x / 2 == (u32)-a / 2;"),
    "s64_to_u64_compare": Piece("s64 x = a; u64 y = (u32)b; return (x < y) + (x == (s32)y) * 2;"),
    "locked_section": Piece(
        "spin_lock(&to_kvm_vmx(kvm)->lock); to_kvm_vmx(kvm)->word = a;\n"
        "if (b & 1) { spin_unlock(&to_kvm_vmx(kvm)->lock); return 1; }\n"
        "spin_unlock(&to_kvm_vmx(kvm)->lock); return to_kvm_vmx(kvm)->word;"
    ),
    # Atomic accesses and locks
    "exchange": Piece(
        "to_kvm_vmx(kvm)->word = a; int x = xchg(&to_kvm_vmx(kvm)->word, b);\n"
        "return x * 3 + to_kvm_vmx(kvm)->word;"
    ),
    "exchange_of_a_byte": Piece(
        "to_kvm_vmx(kvm)->byte = a; int x = xchg(&to_kvm_vmx(kvm)->byte, b); "
        "return x * 256 + to_kvm_vmx(kvm)->byte;"
    ),
    "compare_exchange": Piece(
        "to_kvm_vmx(kvm)->word = a; int x = cmpxchg(&to_kvm_vmx(kvm)->word, 2, b); "
        "return x * 3 + to_kvm_vmx(kvm)->word;"
    ),
    "compare_exchange_of_a_half": Piece(
        "to_kvm_vmx(kvm)->half = a; int x = cmpxchg(&to_kvm_vmx(kvm)->half, -1, b);\n"
        "return x * 3 + to_kvm_vmx(kvm)->half;"
    ),
    "try_compare_exchange": Piece(
        "int old = b; to_kvm_vmx(kvm)->word = a; "
        "bool x = try_cmpxchg(&to_kvm_vmx(kvm)->word, &old, 5);\n"
        "return x * 1000 + old * 3 + to_kvm_vmx(kvm)->word;"
    ),
    "try_compare_exchange_wide": Piece(
        "u64 old = (s64)b; to_kvm_vmx(kvm)->wide = (s64)a; "
        "bool x = try_cmpxchg(&to_kvm_vmx(kvm)->wide, &old, 5);\n"
        "return x * 1000 + old * 3 + (to_kvm_vmx(kvm)->wide >> 1);"
    ),
    "release_and_acquire": Piece(
        "smp_store_release(&to_kvm_vmx(kvm)->word, a); smp_wmb(); "
        "smp_store_mb(to_kvm_vmx(kvm)->half, b);\n"
        "barrier(); smp_rmb(); "
        "return smp_load_acquire(&to_kvm_vmx(kvm)->word) + to_kvm_vmx(kvm)->half;"
    ),
    "atomic_arithmetic": Piece(
        "atomic_set(&to_kvm_vmx(kvm)->count, a); "
        "int x = atomic_fetch_add(b, &to_kvm_vmx(kvm)->count);\n"
        "int y = atomic_fetch_sub(3, &to_kvm_vmx(kvm)->count); "
        "atomic_add(7, &to_kvm_vmx(kvm)->count);\n"
        "atomic_sub(b, &to_kvm_vmx(kvm)->count); "
        "return x * 5 + y * 3 + atomic_read(&to_kvm_vmx(kvm)->count);"
    ),
    "atomic_bits": Piece(
        "atomic_set(&to_kvm_vmx(kvm)->count, a); "
        "int x = atomic_fetch_or(b, &to_kvm_vmx(kvm)->count);\n"
        "int y = atomic_fetch_and(a, &to_kvm_vmx(kvm)->count); "
        "atomic_or(5, &to_kvm_vmx(kvm)->count); atomic_andnot(b, &to_kvm_vmx(kvm)->count);\n"
        "atomic_and(~8, &to_kvm_vmx(kvm)->count); "
        "return x * 5 + y * 3 + atomic_read(&to_kvm_vmx(kvm)->count);"
    ),
    "bits_of_a_word": Piece(
        "unsigned long *w = (unsigned long *)&to_kvm_vmx(kvm)->wide; "
        "to_kvm_vmx(kvm)->wide = a;\n"
        "int x = test_and_set_bit(b & 63, w); x = x * 2 + test_and_clear_bit(a & 63, w);\n"
        "set_bit(7, w); clear_bit(b & 15, w); __set_bit(a & 31, w); __clear_bit(3, w);\n"
        "return x * 2 + test_bit(b & 31, w) + (int)(w[0] ^ (w[0] >> 32)) * 4;"
    ),
    "atomic_steps": Piece(
        "atomic_set(&to_kvm_vmx(kvm)->count, a); atomic_inc(&to_kvm_vmx(kvm)->count);\n"
        "int x = atomic_inc_return(&to_kvm_vmx(kvm)->count) * 3; "
        "x += atomic_dec_return(&to_kvm_vmx(kvm)->count) * 5;\n"
        "atomic_dec(&to_kvm_vmx(kvm)->count); "
        "return x + atomic_read(&to_kvm_vmx(kvm)->count);"
    ),
    "atomic_results": Piece(
        "atomic_set(&to_kvm_vmx(kvm)->count, a); "
        "int x = atomic_add_return(b, &to_kvm_vmx(kvm)->count) * 7;\n"
        "x += atomic_sub_return(2, &to_kvm_vmx(kvm)->count); return x;"
    ),
    "atomic_tests": Piece(
        "atomic_set(&to_kvm_vmx(kvm)->count, a); "
        "int x = atomic_inc_and_test(&to_kvm_vmx(kvm)->count);\n"
        "x += 2 * atomic_dec_and_test(&to_kvm_vmx(kvm)->count); "
        "x += 4 * atomic_dec_and_test(&to_kvm_vmx(kvm)->count); return x;"
    ),
    "atomic_exchanges": Piece(
        "atomic_set(&to_kvm_vmx(kvm)->count, a); "
        "int x = atomic_cmpxchg(&to_kvm_vmx(kvm)->count, 1, b) * 3;\n"
        "x += atomic_xchg(&to_kvm_vmx(kvm)->count, 9); "
        "return x * 3 + atomic_read(&to_kvm_vmx(kvm)->count);"
    ),
    "atomic_wide": Piece(
        "atomic64_set(&to_kvm_vmx(kvm)->total, (s64)a << 20); "
        "s64 x = atomic64_add_return((s64)b << 13, &to_kvm_vmx(kvm)->total);\n"
        "x -= atomic64_dec_return(&to_kvm_vmx(kvm)->total) / 3; "
        "x += atomic64_fetch_sub(4, &to_kvm_vmx(kvm)->total);\n"
        "x ^= atomic64_cmpxchg(&to_kvm_vmx(kvm)->total, 0, 3); return x ^ (x >> 32);"
    ),
    "attempts": Piece(
        "int x = spin_trylock(&to_kvm_vmx(kvm)->lock); "
        "x += 2 * spin_trylock(&to_kvm_vmx(kvm)->lock);\n"
        "spin_unlock(&to_kvm_vmx(kvm)->lock); "
        "x += 4 * spin_trylock(&to_kvm_vmx(kvm)->lock);\n"
        "x += 8 * mutex_trylock(&to_kvm_vmx(kvm)->mutex); "
        "mutex_unlock(&to_kvm_vmx(kvm)->mutex); return x;"
    ),
    "readers_and_writers": Piece(
        "int x = 0; read_lock(&to_kvm_vmx(kvm)->rw); "
        "x += read_trylock(&to_kvm_vmx(kvm)->rw);\n"
        "x += 2 * write_trylock(&to_kvm_vmx(kvm)->rw); read_unlock(&to_kvm_vmx(kvm)->rw); "
        "x += 4 * write_trylock(&to_kvm_vmx(kvm)->rw);\n"
        "read_unlock(&to_kvm_vmx(kvm)->rw); x += 8 * write_trylock(&to_kvm_vmx(kvm)->rw); "
        "x += 16 * read_trylock(&to_kvm_vmx(kvm)->rw);\n"
        "write_unlock(&to_kvm_vmx(kvm)->rw); write_lock(&to_kvm_vmx(kvm)->rw); "
        "write_unlock(&to_kvm_vmx(kvm)->rw); return x;"
    ),
    "semaphore_of_both": Piece(
        "int x = 0; down_read(&to_kvm_vmx(kvm)->sem); "
        "x += down_write_trylock(&to_kvm_vmx(kvm)->sem); up_read(&to_kvm_vmx(kvm)->sem);\n"
        "x += 2 * down_write_trylock(&to_kvm_vmx(kvm)->sem); "
        "x += 4 * down_read_trylock(&to_kvm_vmx(kvm)->sem);\n"
        "up_write(&to_kvm_vmx(kvm)->sem); down_write(&to_kvm_vmx(kvm)->sem); "
        "up_write(&to_kvm_vmx(kvm)->sem); return x;"
    ),
    # The kernel's macros on numbers
    "min_of_ints": Piece("return min(a, b) * 2 + max(a, b);"),
    "min_of_mixed_signs": Piece("return min(a, (u32)b) > 5 ? 1 : max((u64)a, (s16)b) >> 40;"),
    "min_of_narrow": Piece("return min((u8)a, (s8)b) - max((u8)a, (u8)b);"),
    "min_promotes": Piece("return min((u8)a, (u8)b) - 256 < 0;"),
    "min_of_wide": Piece("return min((u64)a << 3, (u64)b) >> 33;"),
    "min_of_conditions": Piece("return min(a < b, a == b) + max(a > 0, b > 0);"),
    "min_once": Piece("int x = a, y = b; int r = min(x++, y--); return r + x * 3 + y * 5;"),
    "min_in_order": Piece("int x = a & 7; return min(x, x++) * 100 + max(x, --x) * 10 + x;"),
    "min_of_calls": Piece(
        "to_kvm_vmx(kvm)->word = 0;\n"
        "return max(next(kvm, a), next(kvm, b)) * 100 + to_kvm_vmx(kvm)->word;",
        "static int next(struct kvm *kvm, int x) { return to_kvm_vmx(kvm)->word++ * x; }",
    ),
    "min_t_converts": Piece("return min_t(u8, a, b) * 3 - max_t(s16, a, b);"),
    "min_t_unsigned": Piece("return min_t(unsigned int, a, b) >> 4;"),
    "min_t_once": Piece("int x = a, y = b; int r = max_t(u16, ++x, ++y); return r ^ x ^ y;"),
    "min_of_three": Piece("return min3(a, b, 5) + max3(a, b, 7) * 2;"),
    "min_nested": Piece("return min(max(a, -9), min(b, 300));"),
    "clamp": Piece("int x = a; int r = clamp(x++, -5, 100); return r * 2 + x;"),
    "clamp_t": Piece("return clamp_t(s16, a, -300, b & 255) + clamp_t(u8, b, 3, 9);"),
    "swap": Piece("int x = a, y = b; swap(x, y); return x - y * 2;"),
    "swap_narrows": Piece("u8 x = a; int y = b; swap(x, y); return x * 1000 + (y & 255);"),
    "swap_fields": Piece(
        "to_kvm_vmx(kvm)->word = a; to_kvm_vmx(kvm)->pair.x = b;\n"
        "swap(to_kvm_vmx(kvm)->word, to_kvm_vmx(kvm)->pair.x);\n"
        "return to_kvm_vmx(kvm)->word - 3 * to_kvm_vmx(kvm)->pair.x;"
    ),
    "swap_in_if": Piece("int x = a, y = b; if (x > y) swap(x, y); else x--; return y - x;"),
    "genmask": Piece("return (GENMASK(a & 63, 0) >> 7) ^ GENMASK(40, b & 31) ^ GENMASK(63, 52);"),
    "genmask_ull": Piece(
        "return (GENMASK_ULL(51, 12) & ((u64)a << 20)) >> 31 > GENMASK_ULL(3, 1);"
    ),
    "halves": Piece("u64 x = ((u64)a << 32) | (u32)b; return upper_32_bits(x) ^ lower_32_bits(x);"),
    "halves_of_int": Piece("return upper_32_bits(a) + lower_32_bits(b) / 2;"),
    "align": Piece("return ALIGN(a, 8) + ALIGN((u32)b, 4096UL) * 3 + ALIGN((u8)a, 16);"),
    "align_to_type": Piece("return ALIGN((u16)a, 1ULL << 20) + ALIGN((s64)b, 64) / 2;"),
    "align_down": Piece("return ALIGN_DOWN(a, 16) ^ ALIGN_DOWN((u64)b, 4096);"),
    "is_aligned": Piece("return IS_ALIGNED(a, 8) + 2 * IS_ALIGNED((u64)b, 256UL);"),
    "round": Piece("return round_up(a, 8) + round_down(b, 256) * 3 + round_up((u8)b, 64);"),
    "round_once": Piece("int x = a; int r = round_up(x++, 32); return r + x * 7;"),
    "div_round_up": Piece("return DIV_ROUND_UP((u32)a, 7) + DIV_ROUND_UP(b & 255, (a & 3) + 1);"),
    "page_align": Piece("return PAGE_ALIGN(a & 0xffff) + (PAGE_ALIGN((u64)b) >> 12);"),
    "array_size": Piece(
        "int n = 0; for (int i = 0; i < ARRAY_SIZE(to_kvm_vmx(kvm)->table); i++) n += a;\n"
        "return n - (ARRAY_SIZE(to_kvm_vmx(kvm)->table) > -1);"
    ),
    "macros_of_its_own": Piece(
        "return max(a, b) + min(a) * 2 + clamp(b);",
        "#define max(x, y) ((x) - (y))\n#undef min\n#define min(x) ((x) & 3)\n"
        "#undef clamp\nstatic int clamp(int x) { return x | 1; }",
    ),
}


@pytest.fixture(scope="module")
def answers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[int]]:
    """Return what gcc's program gives for every input of every piece that is run."""
    if not have_gcc():
        pytest.skip("gcc is not installed, so nothing says what the C means")
    folder = tmp_path_factory.mktemp("compiled")
    names = [name for name in PIECES if any(f"[{name}]" in i.name for i in request.session.items)]
    given = compiled(folder, [PIECES[name] for name in names], INPUTS)
    return dict(zip(names, given, strict=True))


@pytest.mark.sample(every=4)
@pytest.mark.parametrize("name", list(PIECES))
def test_as_compiled(name: str, answers: dict[str, list[int]], tmp_path: Path) -> None:
    """A construct of C that means something else here would make every verdict worthless."""
    found = interpret(piece_machine(tmp_path, PIECES[name]), INPUTS)
    wrong = [
        (pair, ours, theirs)
        for pair, ours, theirs in zip(INPUTS, found, answers[name], strict=True)
        if ours != theirs
    ]
    assert not wrong, f"(inputs, interpreted, compiled): {wrong[:5]} of {len(wrong)}"
