"""Claims of a file decided, as `prove`, `refute` and `check` ask for it."""
