"""TODO passes."""
