"""The small intermediate representation: typed locals, shared fields, flat code with jumps."""
