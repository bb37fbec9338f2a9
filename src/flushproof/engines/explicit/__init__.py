"""Explicit states: what the enumerator of `engines/enumerate.py` is made of. No solver."""
