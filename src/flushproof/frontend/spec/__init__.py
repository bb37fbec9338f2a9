"""Spec files and claims: their grammar's trees, resolved to a `Setup`."""
