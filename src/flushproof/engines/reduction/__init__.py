"""TODO reduction."""
