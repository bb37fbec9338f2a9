"""Edits of a variant, and which claims notice them."""
