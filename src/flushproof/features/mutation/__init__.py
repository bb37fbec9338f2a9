"""TODO mutation."""
