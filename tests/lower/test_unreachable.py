"""What gcc's `__builtin_unreachable()` and its kin leave undefined is looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from flushproof.engines.interpreter.interpreter import Undefined
from support.small_c import Piece, interpret, piece_machine

HITS = {
    "said": "if (a == 3) __builtin_unreachable(); return 0;",
    "leading_zeros": "return __builtin_clz(a - 3);",
    "trailing_zeros": "return __builtin_ctzll((u64)(a - 3));",
}


@pytest.mark.parametrize("body", HITS.values(), ids=HITS)
def test_undefined_where_it_is_reached(body: str, tmp_path: Path) -> None:
    """Code behind it would be proved with whatever value the model happens to give."""
    machine = piece_machine(tmp_path, Piece(body))
    interpret(machine, [(2, 0), (4, 0)])
    with pytest.raises(Undefined):
        interpret(machine, [(3, 0)])
