"""Proofs written to files, with a head, and read back."""
