"""Partial-order reduction: movers, the steps they allow, and ranks of loops."""
