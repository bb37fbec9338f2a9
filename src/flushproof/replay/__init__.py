"""Counterexamples read back from files, and tried in other variants."""
