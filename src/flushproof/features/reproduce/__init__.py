"""TODO reproduce."""
