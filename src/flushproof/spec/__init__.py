"""Spec files and claims: their syntax and their meaning over a variant."""
