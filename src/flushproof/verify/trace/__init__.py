"""Counterexamples as traces that a reviewer can read."""
