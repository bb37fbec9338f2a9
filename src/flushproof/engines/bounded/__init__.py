"""TODO bounded."""
