"""Decides whether a claimed invariant is a proof, knowing nothing of how it was found."""
