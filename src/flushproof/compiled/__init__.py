"""The C of a variant as gcc compiles it, driven beside the interpreter: both must agree."""
