"""Counterexamples written as C programs."""
