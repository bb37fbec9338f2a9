"""The concrete semantics, on plain Python integers; nothing here knows z3."""
