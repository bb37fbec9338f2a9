"""TODO certificate."""
