"""What is known of a claim before it is decided, put up for whoever shows progress.

In: what engines told of the claim so far. Out: notes on the question's board, which cover no more
than would a verdict within bounds of so many vCPUs.
"""

from __future__ import annotations

from collections.abc import Callable

from flushproof.verify.conclusion import Conclusion
from flushproof.verify.decision import Ledger
from flushproof.verify.question import Question
from flushproof.verify.unbounded_proofs import ForAll


class EarlyNotice:
    """Puts up, and takes down, within which bounds a claim is known to hold."""

    def __init__(
        self,
        name: str,
        conclude: Callable[[], Conclusion],
        question: Question,
        ledger: Ledger,
        forall: ForAll,
        since: float,
    ) -> None:
        self._conclude = conclude
        self._question = question
        self._slot = 0 if question.board is None else question.claims.index(name)
        self._ledger = ledger
        self._forall = forall
        self._since = since
        self._defined = False
        self._proving = False

    def count_look(self) -> None:
        """Count a number of vCPUs that the claim has been looked at with."""
        board = self._question.board
        if board is not None:
            board.look(self._slot)

    def begin_proof(self) -> None:
        """Tell what is known when a proof for every number of vCPUs begins."""
        self._proving = True
        if self._question.board is not None:
            self._defined = self._forall.within_bounds_defined
            self.tell()

    def begin_looking(self) -> None:
        """Tell what is known when there is no such proof and more vCPUs are looked at."""
        self._proving = False
        self.tell()

    def tell(self) -> None:
        """Put up how far the claim is known to hold, if that is known of any number of vCPUs."""
        board = self._question.board
        if board is None:
            return
        low = self._question.bounds.vcpus[0]
        reached = self._ledger.reached(low, defined=self._defined)
        claim = self._conclude()
        if reached is None or not claim.rests_on_code_alone:
            return
        early = claim.tell_early(reached, self._since, proving=self._proving)
        board.note(self._slot, early)

    def end(self) -> None:
        """Take down what was told: the claim is decided."""
        board = self._question.board
        if board is not None:
            board.note(self._slot, None)
