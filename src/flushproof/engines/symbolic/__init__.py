"""The engines on z3; nothing outside this package imports it."""
