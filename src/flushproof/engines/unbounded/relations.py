"""Which relation of C a comparison of z3 is: of integers, or of bit-vectors, signed or not."""

from __future__ import annotations

from collections.abc import Mapping

import z3

from flushproof.ir.code import Relation

RELATIONS: Mapping[int, Relation] = {
    z3.Z3_OP_EQ: "==",
    z3.Z3_OP_LE: "<=",
    z3.Z3_OP_GE: ">=",
    z3.Z3_OP_LT: "<",
    z3.Z3_OP_GT: ">",
    z3.Z3_OP_ULEQ: "<=",
    z3.Z3_OP_UGEQ: ">=",
    z3.Z3_OP_ULT: "<",
    z3.Z3_OP_UGT: ">",
    z3.Z3_OP_SLEQ: "<=",
    z3.Z3_OP_SGEQ: ">=",
    z3.Z3_OP_SLT: "<",
    z3.Z3_OP_SGT: ">",
}
"""An exported fact compares values as their types have them, so one of another order is refused."""
