"""TODO smt."""
