"""Mutants of a variant: small edits of its text, and which claims notice them."""
