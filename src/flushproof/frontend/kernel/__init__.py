"""TODO kernel."""
